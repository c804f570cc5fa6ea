#include "http/wire.h"

#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"

namespace proa::http {
namespace {

constexpr std::size_t kReadSize = 16 << 10;
constexpr std::size_t kChunkLine = 4096;
constexpr int kMaxTrailers = 64;
constexpr std::size_t kOneRecord = 16 << 10;  // of TLS

std::int64_t deadline_after(int seconds) { return seconds > 0 ? monotonic_now() + seconds * kSecond : 0; }

[[noreturn]] void gone() { throw Error(ErrorKind::Cancelled, "the connection was closed by its other side", errno); }

// Waits until the socket can be read; 0 is no deadline.
void wait_readable(int fd, std::int64_t deadline) {
  for (;;) {
    int timeout = -1;
    if (deadline)
      timeout = static_cast<int>(std::max<std::int64_t>(0, (deadline - monotonic_now()) / kMillisecond + 1));
    pollfd one{fd, POLLIN, 0};
    int ready = ::poll(&one, 1, timeout);
    if (ready > 0) return;
    if (ready == 0) throw Error(ErrorKind::Deadline, "timed out waiting for the connection's other side");
    if (errno != EINTR) os::fail("poll");
  }
}

std::size_t receive(int fd, char* into, std::size_t size, std::int64_t deadline) {
  for (;;) {
    ssize_t got = ::recv(fd, into, size, deadline ? MSG_DONTWAIT : 0);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      wait_readable(fd, deadline);
    } else if (errno == ECONNRESET) {
      return 0;
    } else {
      os::fail("recv");
    }
  }
}

}  // namespace

std::size_t Wire::take(char* into, std::size_t size, std::int64_t deadline) {
  return channel_ ? channel_->read(into, size, deadline) : receive(fd(), into, size, deadline);
}

bool Wire::fill(std::int64_t deadline) {
  if (begin_ == buffer_.size()) {
    buffer_.clear();
    begin_ = 0;
  }
  std::size_t old = buffer_.size();
  buffer_.resize(old + kReadSize);
  std::size_t got = 0;
  try {
    got = take(buffer_.data() + old, kReadSize, deadline);
  } catch (...) {
    buffer_.resize(old);
    throw;
  }
  buffer_.resize(old + got);
  return got > 0;
}

std::optional<std::string> Wire::read_head(std::size_t limit, int first, int all) {
  if (!has_buffered() && !fill(deadline_after(first))) return std::nullopt;
  // A TLS greeting has no empty line to wait for; its sender may try again without TLS once it is told.
  if (buffer_[begin_] == '\x16')
    throw Error(ErrorKind::InvalidArgument, "client sent an HTTPS request to an HTTP server");
  std::int64_t deadline = deadline_after(all);
  std::size_t seen = 0;
  for (;;) {
    std::string_view view = std::string_view(buffer_).substr(begin_);
    std::size_t end = view.find("\r\n\r\n", seen > 3 ? seen - 3 : 0);
    if (end != view.npos && end + 4 <= limit) {
      std::string head(view.substr(0, end + 4));
      begin_ += end + 4;
      return head;
    }
    if (end != view.npos || view.size() >= limit)
      throw Error(ErrorKind::InvalidArgument, "request header fields too large");
    seen = view.size();
    if (!fill(deadline)) gone();
  }
}

std::string Wire::read_line(std::size_t limit) {
  std::int64_t deadline = deadline_after(patience_);
  for (;;) {
    std::string_view view = std::string_view(buffer_).substr(begin_);
    std::size_t end = view.find('\n');
    if (end != view.npos && end > 0 && view[end - 1] == '\r' && end <= limit) {
      std::string line(view.substr(0, end - 1));
      begin_ += end + 1;
      return line;
    }
    if (end != view.npos || view.size() > limit)
      throw Error(ErrorKind::InvalidArgument, "malformed HTTP message: chunk");
    if (!fill(deadline)) gone();
  }
}

std::size_t Wire::read_some(std::span<std::byte> into) {
  if (into.empty()) return 0;
  if (has_buffered()) {
    std::size_t size = std::min(into.size(), buffer_.size() - begin_);
    std::memcpy(into.data(), buffer_.data() + begin_, size);
    begin_ += size;
    return size;
  }
  return take(reinterpret_cast<char*>(into.data()), into.size(), deadline_after(patience_));
}

void Wire::write_file(int file, std::uint64_t offset, std::uint64_t length) {
  if (channel_) return channel_->write_file(file, offset, length);
  auto at = static_cast<off_t>(offset);
  while (length > 0) {
    ssize_t sent = ::sendfile(fd(), file, &at, std::min<std::uint64_t>(length, 1 << 30));
    if (sent > 0) {
      length -= static_cast<std::uint64_t>(sent);
      continue;
    }
    if (sent == 0) throw Error(ErrorKind::DataLoss, "a file became shorter while it was sent");
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) gone();
    pollfd one{fd(), POLLOUT, 0};
    if (::poll(&one, 1, -1) < 0 && errno != EINTR) os::fail("poll");
  }
}

void Wire::write(std::string_view first, std::string_view second, std::string_view third) {
  std::string_view pieces[3] = {first, second, third};
  if (channel_) {
    if (first.size() + second.size() + third.size() <= kOneRecord) return channel_->write(cat(first, second, third));
    for (std::string_view piece : pieces) channel_->write(piece);
    return;
  }
  std::size_t at = 0;
  while (at < 3) {
    iovec parts[3];
    std::size_t count = 0;
    for (std::size_t i = at; i < 3; ++i) {
      if (!pieces[i].empty()) parts[count++] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
    }
    if (count == 0) return;
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    ssize_t sent = ::sendmsg(fd(), &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        pollfd one{fd(), POLLOUT, 0};
        if (::poll(&one, 1, -1) < 0 && errno != EINTR) os::fail("poll");
        continue;
      }
      gone();
    }
    for (auto left = static_cast<std::size_t>(sent); at < 3;) {
      std::size_t step = std::min(left, pieces[at].size());
      pieces[at].remove_prefix(step);
      left -= step;
      if (!pieces[at].empty()) break;
      ++at;
    }
  }
}

os::Fd Wire::release(std::string& early_bytes) {
  early_bytes = buffer_.substr(begin_);
  buffer_.clear();
  begin_ = 0;
  return std::move(socket_);
}

bool Body::next_chunk() {
  if (!first_chunk_ && !wire_.read_line(0 + 2).empty())
    throw Error(ErrorKind::InvalidArgument, "malformed HTTP message: chunk end");
  first_chunk_ = false;
  left_ = parse_chunk_size(wire_.read_line(kChunkLine));
  if (left_ > 0) return true;
  for (int count = 0; !wire_.read_line(kChunkLine).empty(); ++count) {
    if (count == kMaxTrailers) throw Error(ErrorKind::InvalidArgument, "malformed HTTP message: trailers");
  }
  return false;
}

std::size_t Body::read(std::span<std::byte> buffer) {
  if (at_end_ || buffer.empty()) return 0;
  if (!before_.empty()) wire_.write(std::exchange(before_, {}));
  if (framing_.kind == Framing::Kind::Chunked && left_ == 0 && !next_chunk()) {
    at_end_ = true;
    return 0;
  }
  bool bounded = framing_.kind != Framing::Kind::UntilClose;
  if (bounded && buffer.size() > left_) buffer = buffer.first(left_);
  std::size_t got = wire_.read_some(buffer);
  if (got == 0) {
    at_end_ = true;
    if (bounded) throw Error(ErrorKind::Cancelled, "the connection was closed inside a message");
    return 0;
  }
  if (bounded) left_ -= got;
  if (framing_.kind == Framing::Kind::Length && left_ == 0) at_end_ = true;
  return got;
}

bool Body::drain(std::size_t limit) {
  before_ = {};
  std::byte scrap[4096];
  for (std::size_t total = 0; !at_end_ && total < limit;) total += read(scrap);
  return at_end_;
}

}  // namespace proa::http
