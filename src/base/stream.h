// Byte streams between modules: bounded, blocking, one direction.
#pragma once

#include <cstddef>
#include <span>

namespace proa {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Reads up to buffer.size() bytes; 0 is the end. Throws Error.
  virtual std::size_t read(std::span<std::byte> buffer) = 0;
};

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // Takes all of `bytes` or throws Error.
  virtual void write(std::span<const std::byte> bytes) = 0;
};

}  // namespace proa
