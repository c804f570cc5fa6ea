// A file that the user names, or standard input, as the body of a request.
#pragma once

#include <unistd.h>

#include "base/stream.h"
#include "os/fd.h"

namespace proa::cli {

class FdSource : public ByteSource {
 public:
  explicit FdSource(int fd) : fd_(fd) {}
  std::size_t read(std::span<std::byte> buffer) override {
    return static_cast<std::size_t>(os::check(::read(fd_, buffer.data(), buffer.size()), "read"));
  }

 private:
  int fd_;
};

}  // namespace proa::cli
