#include "image/layer_intake.h"

#include "archive/compress.h"
#include "base/error.h"
#include "base/text.h"
#include "base/trace.h"
#include "oci/image_spec.h"

namespace proa::image {

namespace {

constexpr std::size_t kUnderWay = 2 << 20;

std::string layer_type(archive::Compression compression) {
  switch (compression) {
    case archive::Compression::None:
      return std::string(oci::media_type::kLayer);
    case archive::Compression::Gzip:
      return cat(oci::media_type::kLayer, "+gzip");
    case archive::Compression::Zstd:
      return cat(oci::media_type::kLayer, "+zstd");
    default:
      return "";
  }
}

}  // namespace

LayerIntake::LayerIntake(Layers& layers, store::Blobs& blobs, BlobForm form, std::stop_token stop)
    : layers_(layers), form_(form), stop_(std::move(stop)), blob_(blobs), pipe_(kUnderWay) {}

LayerIntake::~LayerIntake() {
  if (!unpacker_.joinable()) return;
  pipe_.fail(std::make_exception_ptr(Error(ErrorKind::Cancelled, "the layer did not come to its end")));
  unpacker_.join();
}

void LayerIntake::begin(std::span<const std::byte> first) {
  begun_ = true;
  archive::Compression compression = archive::sniff(first);
  if (compression == archive::Compression::None && form_ == BlobForm::GzipPlain) {
    gzip_ = std::make_unique<archive::FastGzipSink>(blob_);
    compression = archive::Compression::Gzip;
  }
  taken_.media_type = layer_type(compression);
  trace::Recorder* recorder = trace::current();
  int parent = trace::current_parent();
  unpacker_ = std::thread([this, recorder, parent] {
    std::optional<trace::Scope> scope;
    if (recorder) scope.emplace(*recorder, parent);
    try {
      taken_.info = layers_.add(pipe_, stop_);
    } catch (...) {
      taken_.failure = std::current_exception();
    }
    pipe_.close_reader();
  });
}

void LayerIntake::write(std::span<const std::byte> bytes) {
  if (stop_.stop_requested()) throw Error(ErrorKind::Cancelled, "context canceled");
  if (!begun_) begin(bytes);
  pipe_.write(bytes);
  if (gzip_) {
    gzip_->write(bytes);
  } else {
    blob_.write(bytes);
  }
}

TakenLayer LayerIntake::finish() {
  if (!begun_) begin({});
  pipe_.finish();
  if (gzip_) gzip_->finish();
  taken_.digest = blob_.finish();
  taken_.size = blob_.size();
  unpacker_.join();
  blob_.commit();
  return std::move(taken_);
}

}  // namespace proa::image
