// A layer's blob on its way to be unpacked: inflated, and if wanted hashed, in a thread of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <thread>

#include "archive/chunk_pipe.h"
#include "archive/compress.h"
#include "archive/hash.h"
#include "base/stream.h"
#include "base/trace.h"
#include "oci/digest.h"

namespace proa::image {

// Counts what is read and says so.
class CountingSource : public ByteSource {
 public:
  CountingSource(ByteSource& from, const std::function<void(std::uint64_t)>& progress)
      : from_(from), progress_(progress) {}
  std::size_t read(std::span<std::byte> buffer) override {
    std::size_t got = from_.read(buffer);
    size_ += got;
    if (got > 0 && progress_) progress_(size_);
    return got;
  }
  std::uint64_t size() const { return size_; }

 private:
  ByteSource& from_;
  std::function<void(std::uint64_t)> progress_;
  std::uint64_t size_ = 0;
};

// Who hashes the tar: the thread that has less to do.
enum class Hashing { WhileInflating, ByReader };

class Inflater {
 public:
  Inflater(ByteSource& compressed, const std::function<void(std::uint64_t)>& progress, Hashing hashing,
           std::stop_token stop);
  ~Inflater();

  ByteSource& pipe() { return pipe_; }  // the tar
  // After the pipe was read to its end, for Hashing::WhileInflating.
  oci::Digest finish();
  std::uint64_t size() const { return size_; }

 private:
  void run();
  bool inflate_chunk();

  CountingSource counted_;
  archive::Decompressor plain_;
  archive::ChunkPipe pipe_;
  Hashing hashing_;
  std::stop_token stop_;
  archive::Sha256 hash_;
  std::uint64_t size_ = 0;
  trace::Recorder* recorder_;
  int parent_;
  std::thread thread_;  // last: it uses the others
};

std::int64_t megabytes_per_second(std::uint64_t bytes, std::int64_t nanos);

}  // namespace proa::image
