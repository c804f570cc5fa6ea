#include "image/save.h"

#include <algorithm>
#include <map>

#include "archive/hash.h"
#include "archive/tar_writer.h"
#include "base/id.h"
#include "base/text.h"
#include "base/trace.h"
#include "image/catalogue.h"
#include "image/contents.h"
#include "image/file_source.h"

namespace proa::image {

namespace {

constexpr std::size_t kPiece = 1 << 20;

archive::TarEntry entry_of(std::string path, archive::EntryType type, std::uint64_t size, std::uint32_t mode) {
  archive::TarEntry entry;
  entry.path = std::move(path);
  entry.type = type;
  entry.size = size;
  entry.mode = mode;
  return entry;
}

void add_text(archive::TarWriter& tar, const std::string& path, const std::string& text) {
  tar.add(entry_of(path, archive::EntryType::File, text.size(), 0644), text);
}

std::string blob_path(const oci::Digest& digest) { return cat("blobs/sha256/", digest.hex()); }

void add_blob(archive::TarWriter& tar, const store::Blobs& blobs, const oci::Descriptor& blob,
              std::vector<std::byte>& buffer, const std::stop_token& stop) {
  FileSource file(blobs.open(blob.digest));
  archive::Sha256 hash;
  auto left = static_cast<std::uint64_t>(blob.size);
  tar.begin(entry_of(blob_path(blob.digest), archive::EntryType::File, left, 0444));
  while (left > 0) {
    if (stop.stop_requested()) throw Error(ErrorKind::Cancelled, "context canceled");
    auto piece = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), left));
    std::size_t got = file.read(piece);
    if (got == 0) break;
    hash.update(piece.first(got));
    tar.write(piece.first(got));
    left -= got;
  }
  if (left > 0 || hash.hex() != blob.digest.hex())
    throw Error(ErrorKind::DataLoss, cat("stored content ", blob.digest.text(), " is damaged"));
}

}  // namespace

Contents Saving::contents(const Item& item) const {
  return platforms_.empty() ? contents_of(blobs_, item.image) : contents_for(blobs_, item.image, std::span(platforms_));
}

Saving::Saving(Images& images, const store::Blobs& blobs, const std::vector<std::string>& names,
               std::vector<oci::Platform> platforms)
    : blobs_(blobs), platforms_(std::move(platforms)), hold_(images, {}) {
  for (const std::string& name : names) {
    auto parsed = oci::parse_any_reference(name);
    const auto* reference = std::get_if<oci::Reference>(&parsed);
    if (reference && reference->tag.empty() && !reference->has_digest()) {
      auto tags = images.tags_of(reference->familiar_name());
      for (const std::string& tag : tags) add(images.get(tag), tag);
      if (!tags.empty()) continue;
    }
    auto image = images.find(name);
    if (!image) throw Error(ErrorKind::NotFound, cat("No such image: ", name));
    bool by_tag = reference && !reference->has_digest() && !is_id_prefix(image->id, name);
    add(*image, by_tag ? reference->familiar() : "");
  }
  std::sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) { return a.image.id < b.image.id; });
  for (const Item& item : items_) {
    hold_.add(digests_of(contents(item)));
    // Nothing of it went between being looked up and being held.
    contents(item);
  }
}

void Saving::add(const ImageRecord& image, const std::string& tag) {
  saved_.push_back(tag.empty() ? image.id.text() : tag);
  auto known = std::find_if(items_.begin(), items_.end(), [&](const Item& item) { return item.image.id == image.id; });
  if (known == items_.end()) known = items_.insert(known, Item{image, {}});
  if (!tag.empty()) add_sorted(known->tags, tag);
}

std::string Saving::index_json() const {
  JsonArray manifests;
  for (const Item& item : items_) {
    oci::Descriptor root = contents(item).root;
    root.platform.reset();
    if (item.tags.empty()) manifests.push_back(oci::to_json(root));
    for (const std::string& tag : item.tags) {
      oci::Reference reference = oci::Reference::parse(tag);
      root.annotations = {{"io.containerd.image.name", reference.text()},
                          {"org.opencontainers.image.ref.name", reference.tag}};
      manifests.push_back(oci::to_json(root));
    }
  }
  return json::text(JsonObject{
      {"schemaVersion", 2}, {"mediaType", std::string(oci::media_type::kIndex)}, {"manifests", std::move(manifests)}});
}

// Docker's own list: one platform of each image.
std::string Saving::manifest_json() const {
  JsonArray list;
  for (const Item& item : items_) {
    JsonArray tags, layers;
    for (const std::string& tag : item.tags) tags.emplace_back(tag);
    oci::Digest chosen = platforms_.empty() ? item.image.manifest : contents(item).manifests.front().digest;
    oci::Manifest manifest = oci::parse_manifest(blobs_.read(chosen, oci::kMaxManifest), "");
    for (const oci::Descriptor& layer : manifest.layers) layers.emplace_back(blob_path(layer.digest));
    list.push_back(JsonObject{{"Config", blob_path(manifest.config.digest)},
                              {"RepoTags", tags.empty() ? Json(nullptr) : Json(std::move(tags))},
                              {"Layers", std::move(layers)}});
  }
  return json::text(list);
}

void Saving::write(ByteSink& to, std::stop_token stop) const {
  trace::Span span("image.save");
  std::map<oci::Digest, oci::Descriptor> all;
  for (const Item& item : items_) {
    Contents whole = contents(item);
    for (const auto* list : {&whole.blobs, &whole.manifests})
      for (const oci::Descriptor& one : *list) all.emplace(one.digest, one);
  }
  archive::TarWriter tar(to);
  std::vector<std::byte> buffer(kPiece);
  tar.add(entry_of("blobs/", archive::EntryType::Directory, 0, 0755));
  tar.add(entry_of("blobs/sha256/", archive::EntryType::Directory, 0, 0755));
  for (const auto& [digest, blob] : all) add_blob(tar, blobs_, blob, buffer, stop);
  add_text(tar, "index.json", index_json());
  add_text(tar, "manifest.json", manifest_json());
  add_text(tar, "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  tar.finish();
}

}  // namespace proa::image
