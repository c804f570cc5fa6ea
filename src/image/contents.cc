#include "image/contents.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "base/time.h"

namespace proa::image {

namespace {

constexpr int kMaxIndexDepth = 4;

class Collector {
 public:
  explicit Collector(const store::Blobs& blobs) : blobs_(blobs) {}

  // False: something is missing.
  bool add(const oci::Descriptor& document, int depth) {
    if (!seen_.insert(document.digest).second) return true;
    if (!blobs_.has(document.digest)) return false;
    if (depth > kMaxIndexDepth) throw Error(ErrorKind::InvalidArgument, "image indexes are nested too deeply");
    std::string bytes = blobs_.read(document.digest, oci::kMaxManifest);
    if (oci::media_type::is_index(oci::manifest_type(bytes, document.media_type))) {
      for (const oci::Descriptor& entry : oci::parse_index(bytes, document.media_type).manifests) {
        if (!add(entry, depth + 1)) return false;
      }
    } else {
      oci::Manifest manifest = oci::parse_manifest(bytes, document.media_type);
      if (!add_blob(manifest.config)) return false;
      for (const oci::Descriptor& layer : manifest.layers) {
        if (!add_blob(layer)) return false;
      }
    }
    out.manifests.push_back(document);
    return true;
  }

  Contents out;

 private:
  bool add_blob(const oci::Descriptor& blob) {
    if (oci::media_type::is_foreign(blob.media_type) || !seen_.insert(blob.digest).second) return true;
    if (!blobs_.has(blob.digest)) return false;
    out.blobs.push_back(blob);
    return true;
  }

  const store::Blobs& blobs_;
  std::set<oci::Digest> seen_;
};

}  // namespace

oci::Descriptor describe(const store::Blobs& blobs, const oci::Digest& document) {
  std::string bytes = blobs.read(document, oci::kMaxManifest);
  oci::Descriptor out;
  out.digest = document;
  out.size = static_cast<std::int64_t>(bytes.size());
  out.media_type = oci::manifest_type(bytes, "");
  return out;
}

std::optional<Contents> contents_below(const store::Blobs& blobs, const oci::Digest& root) {
  if (root.empty() || !blobs.has(root)) return std::nullopt;
  Collector collector(blobs);
  collector.out.root = describe(blobs, root);
  if (!collector.add(collector.out.root, 1)) return std::nullopt;
  return std::move(collector.out);
}

namespace {

// The manifests that an index names, those of indexes within it, too.
void list_manifests(const store::Blobs& blobs, const oci::Descriptor& root, int depth,
                    std::vector<oci::Descriptor>& out) {
  bool index = oci::media_type::is_index(root.media_type);
  if (!index || !blobs.has(root.digest) || depth > kMaxIndexDepth) return out.push_back(root);
  for (const oci::Descriptor& one :
       oci::parse_index(blobs.read(root.digest, oci::kMaxManifest), root.media_type).manifests)
    list_manifests(blobs, one, depth + 1, out);
}

std::vector<oci::Descriptor> list_manifests(const store::Blobs& blobs, const ImageRecord& image) {
  std::vector<oci::Descriptor> out;
  const oci::Digest& root = blobs.has(image.index) ? image.index : image.manifest;
  if (!root.empty() && blobs.has(root)) list_manifests(blobs, describe(blobs, root), 1, out);
  for (oci::Descriptor& one : out)
    if (one.digest == image.manifest && !one.platform) one.platform = image.config.platform;
  return out;
}

}  // namespace

std::vector<ManifestEntry> manifests_of(const store::Blobs& blobs, const ImageRecord& image) {
  std::vector<ManifestEntry> out;
  for (oci::Descriptor& descriptor : list_manifests(blobs, image)) {
    ManifestEntry entry;
    entry.attests = oci::attested_by(descriptor);
    auto below = contents_below(blobs, descriptor.digest);
    entry.available = below.has_value();
    entry.size = blobs.size(descriptor.digest).value_or(0);
    if (below)
      for (const oci::Descriptor& blob : below->blobs) entry.size += static_cast<std::uint64_t>(blob.size);
    entry.descriptor = std::move(descriptor);
    out.push_back(std::move(entry));
  }
  return out;
}

namespace {

void merge(std::vector<oci::Descriptor>& into, const std::vector<oci::Descriptor>& more) {
  for (const oci::Descriptor& one : more) {
    auto same = [&](const oci::Descriptor& other) { return other.digest == one.digest; };
    if (std::none_of(into.begin(), into.end(), same)) into.push_back(one);
  }
}

void merge(Contents& into, const Contents& more) {
  merge(into.manifests, more.manifests);
  merge(into.blobs, more.blobs);
}

void add_here(const store::Blobs& blobs, const oci::Descriptor& document, int depth,
              const std::function<bool(const oci::Descriptor&)>& wanted, Contents& out) {
  if (depth > kMaxIndexDepth || !blobs.has(document.digest)) return;
  bool index = oci::media_type::is_index(document.media_type);
  if (wanted ? wanted(document) : !index) {
    if (auto below = contents_below(blobs, document.digest)) merge(out, *below);
  } else if (index) {
    std::string bytes = blobs.read(document.digest, oci::kMaxManifest);
    for (const oci::Descriptor& entry : oci::parse_index(bytes, document.media_type).manifests)
      add_here(blobs, entry, depth + 1, wanted, out);
    merge(out.manifests, {document});
  }
}

oci::Descriptor manifest_for(const store::Blobs& blobs, const ImageRecord& image, const oci::Platform& platform) {
  oci::Index index;
  for (oci::Descriptor& one : list_manifests(blobs, image))
    if (one.platform && contents_below(blobs, one.digest)) index.manifests.push_back(std::move(one));
  try {
    return oci::choose_manifest(index, platform);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::NotFound) throw;
    std::string name = image.references.empty() ? image.id.text() : image.references.front();
    throw Error(ErrorKind::NotFound,
                cat("image with reference ", name, " was found but does not provide the specified platform (",
                    platform.text(), ")"));
  }
}

}  // namespace

std::vector<oci::Digest> digests_of(const Contents& contents) {
  std::vector<oci::Digest> out;
  for (const auto* list : {&contents.blobs, &contents.manifests})
    for (const oci::Descriptor& one : *list) out.push_back(one.digest);
  return out;
}

Contents contents_here(const store::Blobs& blobs, const oci::Digest& index,
                       const std::function<bool(const oci::Descriptor&)>& wanted) {
  Contents out;
  out.root = describe(blobs, index);
  add_here(blobs, out.root, 1, wanted, out);
  return out;
}

Contents contents_for(const store::Blobs& blobs, const ImageRecord& image, const oci::Platform& platform) {
  return *contents_below(blobs, manifest_for(blobs, image, platform).digest);
}

ImageRecord image_for(const store::Blobs& blobs, const Layers& layers, const ImageRecord& image,
                      const oci::Platform& platform) {
  oci::Digest chosen = manifest_for(blobs, image, platform).digest;
  return chosen == image.manifest ? image : image_of(blobs, layers, image, chosen);
}

ImageRecord image_of(const store::Blobs& blobs, const Layers& layers, const ImageRecord& image,
                     const oci::Digest& chosen) {
  oci::Manifest manifest = oci::parse_manifest(blobs.read(chosen, oci::kMaxManifest), "");
  ImageRecord out = image;
  out.id = manifest.config.digest;
  out.manifest = chosen;
  out.config = oci::parse_image_config(blobs.read(out.id, oci::kMaxConfig));
  out.created = parse_rfc3339(out.config.created).value_or(kZeroTime);
  out.diff_ids = out.config.diff_ids;
  if (out.diff_ids.size() != manifest.layers.size())
    throw Error(ErrorKind::DataLoss, cat("manifest ", chosen.text(), " does not match its configuration"));
  out.layers.clear();
  out.size = 0;
  for (std::size_t i = 0; i < out.diff_ids.size(); ++i) {
    auto unpacked = layers.find(out.diff_ids[i]);
    auto size = unpacked ? unpacked->size : static_cast<std::uint64_t>(manifest.layers[i].size);
    out.layers.push_back({manifest.layers[i].digest, out.diff_ids[i], size});
    out.size += size;
  }
  return out;
}

std::vector<oci::Digest> belongings(const store::Blobs& blobs, const oci::Digest& index,
                                    const std::set<oci::Digest>& without) {
  if (index.empty() || !blobs.has(index)) return {};
  return digests_of(contents_here(blobs, index, [&](const oci::Descriptor& one) {
    return !oci::media_type::is_index(one.media_type) && !without.contains(one.digest) &&
           !without.contains(oci::attested_by(one));
  }));
}

Contents contents_for(const store::Blobs& blobs, const ImageRecord& image, std::span<const oci::Platform> platforms) {
  std::vector<oci::Digest> chosen;
  for (const oci::Platform& platform : platforms) chosen.push_back(manifest_for(blobs, image, platform).digest);
  std::stable_partition(chosen.begin(), chosen.end(), [&](const oci::Digest& one) { return one == image.manifest; });
  Contents out;
  for (const oci::Digest& one : chosen) merge(out, *contents_below(blobs, one));
  out.root = out.manifests.front();
  if (out.manifests.size() == 1) return out;
  Contents under = contents_here(blobs, image.index, [&](const oci::Descriptor& one) {
    return std::find(chosen.begin(), chosen.end(), one.digest) != chosen.end();
  });
  merge(out, under);
  out.root = under.root;
  return out;
}

Contents contents_of(const store::Blobs& blobs, const ImageRecord& image) {
  if (auto whole = contents_below(blobs, image.index)) return std::move(*whole);
  if (auto alone = contents_below(blobs, image.manifest)) return std::move(*alone);
  throw Error(ErrorKind::NotFound,
              cat("content of image ", image.id.text(), " is missing from the store: pull or load it again"));
}

}  // namespace proa::image
