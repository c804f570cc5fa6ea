#include "image/load.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/id.h"
#include "base/text.h"
#include "base/trace.h"
#include "image/catalogue.h"
#include "image/contents.h"
#include "image/file_source.h"
#include "image/load_archive.h"
#include "image/make.h"

namespace proa::image {

namespace {

constexpr int kMaxIndexDepth = 4;

[[noreturn]] void bad(std::string_view why) { throw Error(ErrorKind::InvalidArgument, cat("invalid archive: ", why)); }

struct ToLoad {
  oci::Digest root;                // in an OCI layout
  std::vector<std::string> names;  // familiar
};

// The name that an index entry gives its image: containerd's and docker's annotation, or a whole reference where
// others put a tag.
std::string name_of(const oci::Descriptor& entry) {
  auto annotation = [&](const std::string& key) {
    auto found = entry.annotations.find(key);
    return found == entry.annotations.end() ? std::string() : found->second;
  };
  std::string name = annotation("io.containerd.image.name");
  if (name.empty()) {
    name = annotation("org.opencontainers.image.ref.name");
    if (name.find_first_of(":/") == name.npos) return "";
  }
  try {
    oci::Reference reference = oci::Reference::parse(name);
    return reference.has_digest() ? "" : reference.with_default_tag().familiar();
  } catch (const Error&) {
    return "";  // names are for people: a strange one costs no image
  }
}

class Load {
 public:
  Load(Images& images, store::Blobs& blobs, Layers& layers, const std::vector<oci::Platform>& platforms,
       std::stop_token stop)
      : images_(images), blobs_(blobs), layers_(layers), platforms_(platforms), stop_(std::move(stop)) {}

  std::vector<LoadedImage> run(ByteSource& from, const Progress& sink) {
    PullProgress progress(sink);
    Images::Growing growing(images_);
    contents_ = read_archive(from, layers_, blobs_, progress, stop_);
    if (contents_.document("oci-layout") && contents_.document("index.json")) {
      load_layout();
    } else if (const std::string* list = contents_.document("manifest.json")) {
      load_docker(*list);
    } else {
      bad("it has neither an index.json nor a manifest.json");
    }
    return std::move(loaded_);
  }

 private:
  void load_layout() {
    oci::Index index = oci::parse_index(*contents_.document("index.json"), "");
    std::vector<ToLoad> wanted;
    for (const oci::Descriptor& entry : index.manifests) {
      auto same = [&](const ToLoad& one) { return one.root == entry.digest; };
      auto known = std::find_if(wanted.begin(), wanted.end(), same);
      if (known == wanted.end()) known = wanted.insert(known, ToLoad{entry.digest, {}});
      if (std::string name = name_of(entry); !name.empty()) add_sorted(known->names, name);
    }
    for (const ToLoad& one : wanted) load_root(one);
  }

  // Below the root is one image that is unpacked; what else came along, and is wanted, is kept with it.
  void load_root(const ToLoad& wanted) {
    if (!blobs_.has(wanted.root)) bad(cat("blob ", wanted.root.text(), " is missing"));
    oci::Descriptor at = describe(blobs_, wanted.root);
    std::vector<oci::Digest> chosen;
    for (int depth = 0; oci::media_type::is_index(at.media_type); ++depth) {
      if (depth >= kMaxIndexDepth) bad("image indexes are nested too deeply");
      oci::Index index = oci::parse_index(blobs_.read(at.digest, oci::kMaxManifest), "");
      std::erase_if(index.manifests, [&](const oci::Descriptor& one) { return !blobs_.has(one.digest); });
      at = choose(index, chosen);
    }
    oci::Manifest manifest = oci::parse_manifest(blobs_.read(at.digest, oci::kMaxManifest), "");
    if (std::string type = oci::artifact_type(manifest); !type.empty()) return keep_artifact(type, at, wanted);
    NewImage image;
    image.manifest = at.digest;
    image.index = wanted.root == at.digest ? oci::Digest() : wanted.root;
    image.config = manifest.config.digest;
    if (!blobs_.has(image.config)) bad(cat("blob ", image.config.text(), " is missing"));
    oci::ImageConfig config = oci::parse_image_config(blobs_.read(image.config, oci::kMaxConfig));
    if (config.diff_ids.size() != manifest.layers.size()) bad("layers from manifest don't match image configuration");
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      const oci::Digest& digest = manifest.layers[i].digest;
      unpack(contents_.layer(cat("blobs/sha256/", digest.hex())), digest, config.diff_ids[i]);
      image.layers.push_back({digest, config.diff_ids[i], layers_.get(config.diff_ids[i]).size});
    }
    image.others = platforms_.empty() ? belongings(blobs_, image.index) : chosen_below(image.index, chosen);
    finish(std::move(image), std::move(config), wanted.names);
  }

  void keep_artifact(const std::string& type, const oci::Descriptor& manifest, const ToLoad& wanted) {
    auto contents = contents_below(blobs_, manifest.digest);
    if (!contents) bad(cat("a blob of artifact ", manifest.digest.text(), " is missing"));
    ImageRecord record;
    record.id = record.manifest = manifest.digest;
    record.artifact_type = type;
    if (wanted.root != manifest.digest) record.index = wanted.root;
    record.others = belongings(blobs_, record.index);
    for (const oci::Descriptor& blob : contents->blobs) {
      record.others.push_back(blob.digest);
      record.size += static_cast<std::uint64_t>(blob.size);
    }
    keep(record, wanted.names);
  }

  // The one to unpack; what is asked for of this index, into `chosen`.
  const oci::Descriptor& choose(const oci::Index& index, std::vector<oci::Digest>& chosen) const {
    const oci::Descriptor* first = index.manifests.empty() ? nullptr : &index.manifests.front();
    for (const oci::Platform& platform : platforms_) {
      const oci::Descriptor& one = oci::choose_manifest(index, platform);
      if (&platform == &platforms_.front()) first = &one;
      chosen.push_back(one.digest);
    }
    try {
      const oci::Descriptor& ours = oci::choose_manifest(index, oci::Platform::host());
      if (chosen.empty() || std::find(chosen.begin(), chosen.end(), ours.digest) != chosen.end()) return ours;
    } catch (const Error&) {
      if (!first) throw;
    }
    return *first;
  }

  std::vector<oci::Digest> chosen_below(const oci::Digest& index, const std::vector<oci::Digest>& chosen) const {
    if (index.empty()) return {};
    return digests_of(contents_here(blobs_, index, [&](const oci::Descriptor& one) {
      return std::find(chosen.begin(), chosen.end(), one.digest) != chosen.end();
    }));
  }

  // The layer as it came (or, `came` null, as it is in the store) must be the one that the configuration names.
  void unpack(const TakenLayer* came, const oci::Digest& blob, const oci::Digest& diff_id) {
    if (came && came->failure) {
      Error error = to_error(came->failure);
      throw Error(error.kind(), cat("layer ", blob.text(), ": ", error.message()), error.errno_code());
    }
    if (came && came->info && came->info->diff_id != diff_id) {
      throw Error(ErrorKind::DataLoss, cat("invalid diffID for layer: expected ", quoted(diff_id.text()), ", got ",
                                           quoted(came->info->diff_id.text())));
    }
    if (layers_.has(diff_id)) return;
    if (!blobs_.has(blob)) bad(cat("layer ", blob.text(), " is missing"));
    FileSource file(blobs_.open(blob));
    layers_.apply(file, diff_id, {}, stop_);
  }

  void load_docker(const std::string& text) {
    Json list = in_context("invalid archive: manifest.json", [&] { return json::parse(text, {.depth = 16}); });
    if (!list.is_array() || list.get_array().empty()) bad("manifest.json lists no image");
    for (const Json& item : list.get_array()) load_docker_image(item);
  }

  std::string config_of(const std::string& path) const {
    if (const std::string* document = contents_.document(path)) return *document;
    constexpr std::string_view kBlobs = "blobs/sha256/";
    auto digest =
        path.starts_with(kBlobs) ? oci::Digest::try_parse(cat("sha256:", path.substr(kBlobs.size()))) : std::nullopt;
    if (!digest || !blobs_.has(*digest)) bad(cat("configuration ", quoted(path), " is missing"));
    return blobs_.read(*digest, oci::kMaxConfig);
  }

  void load_docker_image(const Json& item) {
    std::string config_bytes = config_of(json::string_at(item, "Config"));
    oci::ImageConfig config = oci::parse_image_config(config_bytes);
    const Json* paths = json::find(item, "Layers");
    std::size_t count = paths && paths->is_array() ? paths->get_array().size() : 0;
    if (count != config.diff_ids.size()) bad("layers from manifest don't match image configuration");
    std::vector<MadeLayer> layers;
    for (std::size_t i = 0; i < count; ++i) {
      const Json& path = paths->get_array()[i];
      const TakenLayer* came = path.is_string() ? contents_.layer(std::string(path.as_string())) : nullptr;
      if (!came) bad(cat("layer ", json::text(path), " is missing"));
      unpack(came, came->digest, config.diff_ids[i]);
      if (came->media_type.empty()) bad(cat("layer ", json::text(path), " is compressed in a way images cannot be"));
      layers.push_back({came->digest, came->size, came->media_type, *came->info});
    }
    std::vector<std::string> names;
    if (const Json* tags = json::find(item, "RepoTags"); tags && tags->is_array()) {
      for (const Json& tag : tags->get_array()) {
        if (tag.is_string()) add_sorted(names, oci::Reference::parse(tag.as_string()).with_default_tag().familiar());
      }
    }
    finish(make_image(blobs_, config_bytes, layers), std::move(config), names);
  }

  void finish(NewImage image, oci::ImageConfig config, const std::vector<std::string>& names) {
    if (config.platform.os != "linux")
      throw Error(ErrorKind::InvalidArgument, cat("cannot load ", config.platform.os, " image on linux"));
    FAILPOINT("load.before_record");
    keep(record_of(image, std::move(config)), names);
  }

  void keep(const ImageRecord& record, const std::vector<std::string>& names) {
    loaded_.push_back({record.id, names});
    if (names.empty()) images_.record(record, std::nullopt, {}, "");
    for (const std::string& name : names) images_.record(record, oci::Reference::parse(name), {}, "");
  }

  Images& images_;
  store::Blobs& blobs_;
  Layers& layers_;
  const std::vector<oci::Platform>& platforms_;
  std::stop_token stop_;
  ArchiveContents contents_;
  std::vector<LoadedImage> loaded_;
};

}  // namespace

std::vector<LoadedImage> Loader::load(ByteSource& archive, const std::vector<oci::Platform>& platforms,
                                      const Progress& progress, std::stop_token stop) {
  trace::Span span("image.load");
  return Load(images_, blobs_, layers_, platforms, std::move(stop)).run(archive, progress);
}

}  // namespace proa::image
