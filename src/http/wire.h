// One connection's bytes: buffered reads with deadlines, whole writes; and message bodies read from it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/stream.h"
#include "http/channel.h"
#include "http/head.h"
#include "os/fd.h"

namespace proa::http {

class Wire {
 public:
  explicit Wire(os::Fd socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.get(); }
  void protect(const Protect& protect) { channel_ = protect(fd()); }
  bool is_protected() const { return channel_ != nullptr; }
  bool has_buffered() const { return begin_ < buffer_.size(); }

  // Seconds to wait for the next byte, 0: for ever.
  void set_patience(int seconds) { patience_ = seconds; }

  // Up to and with the empty line. nullopt: the peer closed before the first byte. Throws InvalidArgument (longer than
  // `limit`), Deadline and Cancelled. `first` and `all`: seconds for the first byte and for everything after it.
  std::optional<std::string> read_head(std::size_t limit, int first, int all);
  // A line without CRLF of at most `limit` bytes.
  std::string read_line(std::size_t limit);
  // What is there, at least one byte; 0: the peer closed.
  std::size_t read_some(std::span<std::byte> into);
  // Throws Cancelled when the peer is gone.
  void write(std::string_view first, std::string_view second = {}, std::string_view third = {});
  // Throws DataLoss where the file ends before.
  void write_file(int file, std::uint64_t offset, std::uint64_t length);

  // The connection, and what was read of it too early.
  os::Fd release(std::string& early_bytes);

 private:
  bool fill(std::int64_t deadline);  // false: closed
  std::size_t take(char* into, std::size_t size, std::int64_t deadline);

  os::Fd socket_;
  std::unique_ptr<Channel> channel_;
  std::string buffer_;
  std::size_t begin_ = 0;
  int patience_ = 0;
};

class Body : public ByteSource {
 public:
  Body(Wire& wire, Framing framing) : wire_(wire), framing_(framing), left_(framing.length) { at_end_ = none(); }

  std::size_t read(std::span<std::byte> buffer) override;
  bool at_end() const { return at_end_; }
  // Reads and forgets up to `limit` bytes; true if that was the end.
  bool drain(std::size_t limit);

  // Sent before the first read (100 Continue).
  void send_before_reading(std::string_view text) { before_ = text; }

 private:
  bool none() const {
    return framing_.kind == Framing::Kind::None || (framing_.kind == Framing::Kind::Length && framing_.length == 0);
  }
  bool next_chunk();

  Wire& wire_;
  Framing framing_;
  std::uint64_t left_;
  bool at_end_ = false, first_chunk_ = true;
  std::string_view before_;
};

}  // namespace proa::http
