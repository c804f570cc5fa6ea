// What protects a connection's bytes (TLS, src/tls); a connection without one sends them as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

namespace proa::http {

class Channel {
 public:
  virtual ~Channel() = default;
  // At least one byte, 0: the peer closed. `deadline` is monotonic, 0: none. Throws Deadline and Cancelled.
  virtual std::size_t read(char* into, std::size_t size, std::int64_t deadline) = 0;
  virtual void write(std::string_view bytes) = 0;
  // Throws DataLoss where the file ends before.
  virtual void write_file(int file, std::uint64_t offset, std::uint64_t length) = 0;
};

// Makes the channel on a socket that was just accepted; throws where the peer is refused.
using Protect = std::function<std::unique_ptr<Channel>(int fd)>;

}  // namespace proa::http
