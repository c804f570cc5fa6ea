// Output that one client has not taken yet: a little memory, then an unlinked file, so that a reader who lags
// (`proa run x | less`) holds up nobody until both are full.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "os/fd.h"

namespace proa::shim {

class Backlog {
 public:
  static constexpr std::size_t kMemory = 1 << 20;
  static constexpr std::uint64_t kFile = 64 << 20;

  // `directory` is where the file may be made; "": memory only.
  explicit Backlog(std::string directory) : directory_(std::move(directory)) {}

  bool empty() const { return begin_ == memory_.size() && file_end_ == file_begin_ && late_.empty(); }
  // True: nothing more should be put in. (One more batch is taken all the same.)
  bool full() const { return !late_.empty() || file_end_ >= kFile; }
  void put(std::string_view bytes);
  // The oldest bytes; drop(n) when n of them were sent.
  std::string_view front();
  void drop(std::size_t count);

 private:
  bool spill(std::string_view bytes);

  std::string directory_;
  std::string memory_;     // older than what is in the file
  std::size_t begin_ = 0;  // of memory_, already sent
  os::Fd file_;
  std::uint64_t file_begin_ = 0, file_end_ = 0;
  std::string late_;  // newer than what is in the file: it would not take more
};

}  // namespace proa::shim
