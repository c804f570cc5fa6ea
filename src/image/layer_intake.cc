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
    : layers_(layers), form_(form), stop_(std::move(stop)), blob_(blobs) {}

LayerIntake::~LayerIntake() {
  if (!unpacker_.joinable()) return;
  end(std::make_exception_ptr(Error(ErrorKind::Cancelled, "the layer did not come to its end")));
  unpacker_.join();
}

void LayerIntake::begin(std::span<const std::byte> first) {
  begun_ = true;
  archive::Compression compression = archive::sniff(first);
  if (compression == archive::Compression::None && form_ == BlobForm::GzipPlain) {
    gzip_ = std::make_unique<archive::FastGzipSink>(blob_);
    compression = archive::Compression::Gzip;
    pipe_.emplace(kUnderWay);
  } else {
    blob_so_far_.emplace(blob_.reader());
  }
  taken_.media_type = layer_type(compression);
  trace::Recorder* recorder = trace::current();
  int parent = trace::current_parent();
  unpacker_ = std::thread([this, recorder, parent] {
    std::optional<trace::Scope> scope;
    if (recorder) scope.emplace(*recorder, parent);
    try {
      taken_.info = layers_.add(pipe_ ? static_cast<ByteSource&>(*pipe_) : *blob_so_far_, stop_);
    } catch (...) {
      taken_.failure = std::current_exception();
    }
    if (pipe_) pipe_->close_reader();
  });
}

void LayerIntake::end(std::exception_ptr failure) {
  auto tell = [&](auto& source) { failure ? source.fail(failure) : source.finish(); };
  pipe_ ? tell(*pipe_) : tell(*blob_so_far_);
}

void LayerIntake::write(std::span<const std::byte> bytes) {
  if (stop_.stop_requested()) throw Error(ErrorKind::Cancelled, "context canceled");
  if (!begun_) begin(bytes);
  if (gzip_) {
    pipe_->write(bytes);
    gzip_->write(bytes);
  } else {
    blob_.write(bytes);
    blob_so_far_->grown(blob_.size());
  }
}

TakenLayer LayerIntake::finish() {
  if (!begun_) begin({});
  end(nullptr);
  if (gzip_) gzip_->finish();
  taken_.digest = blob_.finish();
  taken_.size = blob_.size();
  unpacker_.join();
  blob_.commit();
  return std::move(taken_);
}

}  // namespace proa::image
