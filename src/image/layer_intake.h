// A layer that comes as bytes from somewhere else than a registry (load, import, commit): its blob is stored and it is
// unpacked at once.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "archive/fast_gzip.h"
#include "image/byte_pipe.h"
#include "image/followed_file.h"
#include "image/layers.h"
#include "store/staging.h"

namespace proa::image {

// AsItCame: the blob is what came. GzipPlain: a tar that came uncompressed is stored compressed, as registries want it.
enum class BlobForm { AsItCame, GzipPlain };

struct TakenLayer {
  oci::Digest digest;             // of the blob
  std::uint64_t size = 0;         // of the blob
  std::string media_type;         // OCI's; "" where that compression has none
  std::optional<LayerInfo> info;  // none: it could not be unpacked, for `failure`
  std::exception_ptr failure;
};

class LayerIntake : public ByteSink {
 public:
  LayerIntake(Layers& layers, store::Blobs& blobs, BlobForm form, std::stop_token stop);
  ~LayerIntake() override;
  void write(std::span<const std::byte> bytes) override;
  // Both are on the disk when it returns. To be called once, in a scope of Images::Growing.
  TakenLayer finish();

 private:
  void begin(std::span<const std::byte> first);
  void end(std::exception_ptr failure);

  Layers& layers_;
  BlobForm form_;
  std::stop_token stop_;
  store::Staging blob_;
  std::unique_ptr<archive::FastGzipSink> gzip_;
  // Where it is unpacked from: the blob while it is written, or, where that is another form of it, what comes.
  std::optional<FollowedFile> blob_so_far_;
  std::optional<BytePipe> pipe_;
  TakenLayer taken_;
  bool begun_ = false;
  std::thread unpacker_;
};

}  // namespace proa::image
