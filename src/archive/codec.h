// One decoder of one format, as Decompressor drives it.
#pragma once

#include <memory>

#include "archive/compress.h"

namespace proa::archive {

class Codec {
 public:
  struct Step {
    std::size_t consumed = 0, produced = 0;
    bool end = false;  // of this member or frame
  };
  virtual ~Codec() = default;
  // Never blocks; throws InvalidArgument for damaged input.
  virtual Step run(std::span<const std::byte> in, std::span<std::byte> out) = 0;
  // Ready for the next member.
  virtual void reset() = 0;
};

std::unique_ptr<Codec> make_gzip_codec();
std::unique_ptr<Codec> make_zstd_codec();
std::unique_ptr<Codec> make_xz_codec();
std::unique_ptr<Codec> make_bzip2_codec();

}  // namespace proa::archive
