// Compression of streams. What is read is recognised by its first bytes; what is written is gzip.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/stream.h"

namespace proa::archive {

enum class Compression { None, Gzip, Zstd, Xz, Bzip2 };
std::string_view to_string(Compression compression);
// By magic number; `start` are the first bytes (6 are enough).
Compression sniff(std::span<const std::byte> start);

// The plain bytes of `from`, be it gzip (also several members), zstd (also several frames; windows up to 128 MiB), xz,
// bzip2 or plain. Truncated or damaged input throws InvalidArgument; so does other data after the compressed end (zero
// padding is no data). Memory is bounded by the window.
class Decompressor : public ByteSource {
 public:
  explicit Decompressor(ByteSource& from);
  ~Decompressor() override;
  std::size_t read(std::span<std::byte> buffer) override;
  // Known from the first read on.
  Compression compression() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// gzip out of what is written; finish() writes the trailer. Deterministic: no name, no time in the header.
class GzipSink : public ByteSink {
 public:
  explicit GzipSink(ByteSink& to, int level = 4);
  ~GzipSink() override;
  void write(std::span<const std::byte> bytes) override;
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace proa::archive
