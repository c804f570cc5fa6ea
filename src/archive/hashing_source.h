// A ByteSource that hashes and counts what passes.
#pragma once

#include <cstdint>
#include <string>

#include "archive/hash.h"
#include "base/stream.h"

namespace proa::archive {

class HashingSource : public ByteSource {
 public:
  explicit HashingSource(ByteSource& from) : from_(from) {}

  std::size_t read(std::span<std::byte> buffer) override {
    std::size_t got = from_.read(buffer);
    hash_.update(buffer.first(got));
    size_ += got;
    return got;
  }
  std::uint64_t size() const { return size_; }
  // Of all that was read. Ends the computation.
  std::string hex() { return hash_.hex(); }

 private:
  ByteSource& from_;
  Sha256 hash_;
  std::uint64_t size_ = 0;
};

}  // namespace proa::archive
