#include "image/make.h"

#include <algorithm>

#include "base/text.h"
#include "base/time.h"

namespace proa::image {

namespace {

constexpr std::string_view kGzip = "+gzip";
constexpr std::string_view kDockerLayer = "application/vnd.docker.image.rootfs.diff.tar";

bool fits_schema2(const MadeLayer& layer) {
  return layer.media_type == oci::media_type::kLayer || layer.media_type.ends_with(kGzip);
}

Json descriptor(std::string_view type, std::uint64_t size, const oci::Digest& digest) {
  return JsonObject{{"mediaType", type}, {"size", size}, {"digest", digest.text()}};
}

}  // namespace

NewImage make_image(store::Blobs& blobs, const std::string& config_bytes, const std::vector<MadeLayer>& layers) {
  NewImage out;
  out.config = blobs.put(config_bytes);
  bool docker = std::all_of(layers.begin(), layers.end(), fits_schema2);
  JsonArray list;
  for (const MadeLayer& layer : layers) {
    std::string type = layer.media_type;
    if (docker) type = cat(kDockerLayer, layer.media_type.ends_with(kGzip) ? ".gzip" : "");
    list.push_back(descriptor(type, layer.size, layer.digest));
    out.layers.push_back({layer.digest, layer.info.diff_id, layer.info.size});
  }
  Json config =
      descriptor(docker ? oci::media_type::kDockerConfig : oci::media_type::kConfig, config_bytes.size(), out.config);
  Json manifest = JsonObject{{"schemaVersion", 2},
                             {"mediaType", docker ? oci::media_type::kDockerManifest : oci::media_type::kManifest},
                             {"config", std::move(config)},
                             {"layers", std::move(list)}};
  out.manifest = blobs.put(json::text(manifest));
  return out;
}

ImageRecord record_of(const NewImage& image, oci::ImageConfig config) {
  ImageRecord record;
  record.id = image.config;
  record.manifest = image.manifest;
  record.index = image.index;
  record.others = image.others;
  record.layers = image.layers;
  record.diff_ids = config.diff_ids;
  for (const ImageLayer& layer : image.layers) record.size += layer.size;
  record.created = parse_rfc3339(config.created).value_or(kZeroTime);
  record.config = std::move(config);
  return record;
}

}  // namespace proa::image
