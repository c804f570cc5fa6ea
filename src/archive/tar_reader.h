// Reads tar: ustar, PAX (POSIX 1003.1-2001), GNU long names, GNU sparse (old, 0.0, 0.1, 1.0), SCHILY.xattr, base-256
// numbers. Input is hostile: everything is bounded, and what is wrong throws InvalidArgument naming the entry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "archive/tar_entry.h"
#include "base/stream.h"

namespace proa::archive {

struct TarLimits {
  std::size_t header = 1 << 20;  // PAX records, long names, each
  std::size_t path = 4096;       // path and link target
  std::size_t sparse_regions = 100'000;
};

class TarReader {
 public:
  explicit TarReader(ByteSource& from, TarLimits limits = {});

  // The next entry, valid until the following call; nullptr at the end (two zero blocks, or the end of input between
  // two entries). Skips what is left of the current one's content.
  const TarEntry* next();
  // The next stored bytes of the current entry (without holes), valid until the following call; empty at its end.
  std::span<const std::byte> chunk();
  // All stored bytes of the current entry; more than `limit` throws.
  std::string read_content(std::size_t limit);
  // Where in the input the next of them is; after next(), a multiple of 512.
  std::uint64_t position() const { return received_ - (end_ - begin_); }
  // Reads the input to its end: what follows the archive still belongs to the stream that is hashed.
  void drain();

 private:
  struct Extensions;  // what came before the entry proper

  bool fill(std::size_t wanted);  // false: the input ended before
  const std::byte* take(std::size_t size, std::string_view what);
  bool skip_content();
  std::string read_extension(std::string_view what);
  bool parse_header(const std::byte* block);  // false: the type byte announces an extension
  void apply(const Extensions& extensions);
  void apply_record(const std::string& key, const std::string& value);
  void read_old_sparse(const std::byte* block);
  void read_sparse_map();
  void check_sparse() const;
  bool next_is_header();
  [[noreturn]] void bad(std::string_view what) const;

  ByteSource& from_;
  TarLimits limits_;
  TarEntry entry_;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::uint64_t received_ = 0;
  bool ended_ = false;         // the input
  bool finished_ = false;      // the archive
  char type_ = 0;              // of the last header
  std::uint64_t left_ = 0;     // stored bytes of the entry not read yet
  std::uint64_t padding_ = 0;  // after them
};

}  // namespace proa::archive
