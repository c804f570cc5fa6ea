// Writes tar as Go's archive/tar does it for the same entry: ustar where it fits, else PAX records (sorted) before it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "archive/tar_entry.h"
#include "base/stream.h"

namespace proa::archive {

class TarWriter {
 public:
  explicit TarWriter(ByteSink& to) : to_(to) {}

  // The header; then exactly entry.size bytes of content are to come by write(). Sparse maps are not written.
  void begin(const TarEntry& entry);
  void write(std::span<const std::byte> bytes);
  // begin and write in one.
  void add(const TarEntry& entry, std::string_view content = {});
  // Two zero blocks. Nothing may follow.
  void finish();

 private:
  void pad();
  ByteSink& to_;
  std::uint64_t left_ = 0;
  std::uint64_t padding_ = 0;
};

}  // namespace proa::archive
