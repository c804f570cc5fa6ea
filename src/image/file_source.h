// A file as a stream, from an offset on.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/stream.h"
#include "os/fd.h"

namespace proa::image {

class FileSource : public ByteSource {
 public:
  explicit FileSource(os::Fd file, std::uint64_t offset = 0) : file_(std::move(file)), at_(offset) {}
  std::size_t read(std::span<std::byte> buffer) override {
    ssize_t got;
    do {
      got = ::pread(file_.get(), buffer.data(), buffer.size(), static_cast<off_t>(at_));
    } while (got < 0 && errno == EINTR);
    at_ += static_cast<std::uint64_t>(os::check(got, "read blob"));
    return static_cast<std::size_t>(got);
  }

 private:
  os::Fd file_;
  std::uint64_t at_;
};

}  // namespace proa::image
