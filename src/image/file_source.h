// A file as a stream, from an offset on, to its end or another.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "base/stream.h"
#include "os/fd.h"

namespace proa::image {

class FileSource : public ByteSource {
 public:
  explicit FileSource(os::Fd file, std::uint64_t offset = 0, std::uint64_t end = UINT64_MAX)
      : file_(std::move(file)), at_(offset), end_(end) {}
  std::size_t read(std::span<std::byte> buffer) override {
    auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end_ - at_));
    ssize_t got;
    do {
      got = ::pread(file_.get(), buffer.data(), wanted, static_cast<off_t>(at_));
    } while (got < 0 && errno == EINTR);
    at_ += static_cast<std::uint64_t>(os::check(got, "read blob"));
    return static_cast<std::size_t>(got);
  }

 private:
  os::Fd file_;
  std::uint64_t at_, end_;
};

}  // namespace proa::image
