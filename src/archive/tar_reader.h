// Reads tar: ustar, PAX (POSIX 1003.1-2001), GNU long names, GNU sparse (old, 0.0, 0.1, 1.0), SCHILY.xattr, base-256 numbers.
// Input is hostile: everything is bounded, and what is wrong throws InvalidArgument naming the entry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
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

  // The next entry, valid until the following call; nullptr at the end (two zero blocks, or the end of input between two
  // entries). Skips what is left of the current one's content.
  const TarEntry* next();
  // The next stored bytes of the current entry (without holes), valid until the following call; empty at its end.
  std::span<const std::byte> chunk();
  // All stored bytes of the current entry; more than `limit` throws.
  std::string read_content(std::size_t limit);
  // Reads the input to its end: what follows the archive still belongs to the stream that is hashed.
  void drain();

 private:
  using Block = std::span<const std::byte, 512>;
  using Records = std::vector<std::pair<std::string, std::string>>;

  bool fill(std::size_t wanted);  // false: the input ended before
  bool read_block(std::byte (&block)[512]);
  void skip_content();
  std::string read_extension(std::uint64_t size, const char* what);
  void parse_pax(std::string_view text, Records& into) const;
  void parse_header(Block block);
  void apply_records(const Records& records);
  void apply_sparse_record(const std::string& key, const std::string& value);
  void finish_entry(bool gnu_sparse, Block block);
  void read_old_sparse(Block block);
  void read_sparse_map_1_0();
  void check_sparse();
  [[noreturn]] void bad(std::string_view what) const;

  ByteSource& from_;
  TarLimits limits_;
  TarEntry entry_;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::uint64_t left_ = 0;     // stored bytes of the entry not read yet
  std::uint64_t padding_ = 0;  // after them
  bool finished_ = false;
  // Of the entry being read: what the sparse records said.
  struct Sparse {
    int major = -1, minor = -1;
    std::uint64_t real_size = 0;
    bool has_real_size = false, has_map = false;
    std::string name;
  } sparse_;
  Records global_;
};

}  // namespace proa::archive
