#include "image/commit.h"

#include "archive/compress.h"
#include "archive/tar_writer.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "base/time.h"
#include "base/trace.h"
#include "image/contents.h"
#include "image/layer_intake.h"

namespace proa::image {

namespace {

constexpr std::uint64_t kEmptyTar = 1024;

MadeLayer made_of(TakenLayer&& taken) {
  if (taken.failure) std::rethrow_exception(taken.failure);
  return {taken.digest, taken.size, taken.media_type, *taken.info};
}

std::string oci_layer_type(std::string_view type) {
  if (type.ends_with("gzip")) return cat(oci::media_type::kLayer, "+gzip");
  if (type.ends_with("zstd")) return cat(oci::media_type::kLayer, "+zstd");
  return std::string(oci::media_type::kLayer);
}

}  // namespace

// The layers of an image with their blobs, as its manifest lists them.
std::vector<MadeLayer> Committer::layers_of(const ImageRecord& image) const {
  std::vector<MadeLayer> out;
  oci::Manifest manifest = oci::parse_manifest(blobs_.read(image.manifest, oci::kMaxManifest), "");
  if (manifest.layers.size() != image.layers.size())
    throw Error(ErrorKind::DataLoss, cat("the manifest of image ", image.id.text(), " is another image's"));
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    const oci::Descriptor& blob = manifest.layers[i];
    out.push_back({blob.digest, static_cast<std::uint64_t>(blob.size), oci_layer_type(blob.media_type),
                   layers_.get(image.layers[i].diff_id)});
  }
  return out;
}

oci::Digest Committer::publish(oci::ImageConfig config, const std::vector<MadeLayer>& layers,
                               const std::optional<oci::Reference>& name) {
  NewImage image = make_image(blobs_, oci::image_config_text(config), layers);
  FAILPOINT("commit.before_record");
  images_.record(record_of(image, std::move(config)), name, {}, "");
  return image.config;
}

oci::Digest Committer::commit(const CommitRequest& request, std::stop_token stop) {
  trace::Span span("image.commit");
  Images::Growing growing(images_);
  oci::ImageConfig config;
  std::vector<MadeLayer> layers;
  if (!request.base.empty()) {
    ImageRecord base = images_.get(request.base.text());
    if (!request.manifest.empty()) base = image_of(blobs_, layers_, base, request.manifest);
    config = base.config;
    layers = layers_of(base);
  }
  if (config.platform.os.empty()) config.platform = oci::Platform::host();
  config.created = format_rfc3339(now());
  config.author = request.author;
  config.comment = request.comment;
  config.config = request.config;
  oci::HistoryEntry entry{config.created, request.created_by, request.author, request.comment, false};
  LayerIntake intake(layers_, blobs_, BlobForm::GzipPlain, stop);
  archive::TarWriter tar(intake);
  snapshots_.pack_changes(request.container_id, request.wanted, tar, stop);
  tar.finish();
  MadeLayer top = made_of(intake.finish());
  entry.empty_layer = top.info.size == kEmptyTar;
  if (entry.empty_layer) {
    growing.clear_up();
  } else {
    config.diff_ids.push_back(top.info.diff_id);
    layers.push_back(std::move(top));
  }
  config.history.push_back(std::move(entry));
  return publish(std::move(config), layers, request.name);
}

oci::Digest Committer::import(const ImportRequest& request, std::stop_token stop) {
  trace::Span span("image.import");
  Images::Growing growing(images_);
  archive::Decompressor plain(*request.tar);
  LayerIntake intake(layers_, blobs_, BlobForm::GzipPlain, stop);
  std::vector<std::byte> buffer(256 << 10);
  while (std::size_t got = plain.read(buffer)) intake.write(std::span(buffer).first(got));
  MadeLayer layer = made_of(intake.finish());
  oci::ImageConfig config;
  config.platform = request.platform;
  config.created = format_rfc3339(now());
  config.comment = request.comment;
  config.config = request.config;
  config.diff_ids = {layer.info.diff_id};
  config.history = {{config.created, "", "", request.comment, false}};
  return publish(std::move(config), {layer}, request.name);
}

}  // namespace proa::image
