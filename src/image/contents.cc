#include "image/contents.h"

#include <set>

#include "base/text.h"

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

Contents contents_of(const store::Blobs& blobs, const ImageRecord& image) {
  if (auto whole = contents_below(blobs, image.index)) return std::move(*whole);
  if (auto alone = contents_below(blobs, image.manifest)) return std::move(*alone);
  throw Error(ErrorKind::NotFound,
              cat("content of image ", image.id.text(), " is missing from the store: pull or load it again"));
}

}  // namespace proa::image
