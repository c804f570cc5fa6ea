// A large file on its way to the disk while it is still being written, so that the sync at its end finds little to do.
#pragma once

#include <cstdint>

namespace proa::os {

class WriteBack {
 public:
  // `from`: where in the file the writing begins.
  explicit WriteBack(std::uint64_t from = 0) : started_(from) {}
  // All up to `end` is written: the kernel begins to put it on the disk, some megabytes at a time. Waits for nothing,
  // makes nothing durable, and never fails: what cannot be written the sync will tell.
  void written(int file, std::uint64_t end);

 private:
  std::uint64_t started_;
};

}  // namespace proa::os
