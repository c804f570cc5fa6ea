#include "runtime/handshake.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "os/socket.h"

namespace proa::runtime {
namespace {

constexpr std::size_t kLimit = 192 << 10;  // below the kernel's default socket buffer

class Writer {
 public:
  void number(std::int64_t value) { out_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void text(std::string_view value) {
    auto size = static_cast<std::uint32_t>(value.size());
    out_.append(reinterpret_cast<const char*>(&size), sizeof size);
    out_ += value;
  }
  std::size_t size() const { return out_.size(); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  std::int64_t number() { return raw<std::int64_t>(); }
  std::size_t count() {
    auto value = number();
    if (value < 0 || value > static_cast<std::int64_t>(in_.size())) bad();
    return static_cast<std::size_t>(value);
  }
  std::string text() {
    auto size = raw<std::uint32_t>();
    if (size > in_.size()) bad();
    std::string out(in_.substr(0, size));
    in_.remove_prefix(size);
    return out;
  }

 private:
  template <class T>
  T raw() {
    T value;
    if (in_.size() < sizeof value) bad();
    std::memcpy(&value, in_.data(), sizeof value);
    in_.remove_prefix(sizeof value);
    return value;
  }
  [[noreturn]] static void bad() { throw Error(ErrorKind::DataLoss, "a container's init sent a broken message"); }
  std::string_view in_;
};

std::string encode_event(const trace::Event& event) {
  Writer out;
  out.text(event.name);
  out.text(event.process);
  out.number(event.start);
  out.number(event.duration);
  out.number(event.parent);
  out.number(static_cast<std::int64_t>(event.attributes.size()));
  for (const auto& [key, value] : event.attributes) {
    out.text(key);
    out.text(std::string_view(value).substr(0, 4096));
  }
  return out.take();
}

}  // namespace

void send_note(int socket, Tag tag, std::string_view body, int fd) {
  std::string message(1, static_cast<char>(tag));
  message += body;
  if (fd >= 0) return os::send_message(socket, message, {fd});
  for (;;) {
    auto sent = ::write(socket, message.data(), message.size());
    if (sent == static_cast<ssize_t>(message.size())) return;
    if (sent < 0 && errno == EINTR) continue;
    os::fail("message to the peer");
  }
}

std::optional<Note> receive_any(int socket) {
  os::Message message = os::receive_packet(socket, 256 << 10);
  if (message.bytes.empty()) return std::nullopt;
  Note note{static_cast<Tag>(message.bytes[0]), message.bytes.substr(1), os::Fd()};
  if (!message.fds.empty()) note.fd = std::move(message.fds[0]);
  return note;
}

std::optional<Note> receive_note(int socket, Tag expected) {
  auto note = receive_any(socket);
  if (!note) return std::nullopt;
  if (note->tag == Tag::Failed) throw error_from_line(note->body);
  if (note->tag != expected) {
    throw Error(ErrorKind::Internal, cat("unexpected message ", quoted(std::string(1, static_cast<char>(note->tag)))));
  }
  return note;
}

Note expect_note(int socket, Tag expected, std::string_view what) {
  auto note = receive_note(socket, expected);
  if (!note) throw Error(ErrorKind::Internal, cat(what, " ended before it was ready"));
  return std::move(*note);
}

std::string encode_ready(const ReadyBody& body) {
  Writer head;
  head.number(body.sent_at);
  head.number(static_cast<std::int64_t>(body.warnings.size()));
  for (const auto& warning : body.warnings) head.text(std::string_view(warning).substr(0, 1024));
  std::string events;
  std::int64_t count = 0;
  for (const auto& event : body.events) {
    std::string one = encode_event(event);
    if (head.size() + events.size() + one.size() > kLimit) break;
    events += one;
    ++count;
  }
  head.number(count);
  return head.take() + events;
}

ReadyBody decode_ready(std::string_view bytes) {
  Reader in(bytes);
  ReadyBody body;
  body.sent_at = in.number();
  for (auto left = in.count(); left > 0; --left) body.warnings.push_back(in.text());
  for (auto left = in.count(); left > 0; --left) {
    trace::Event event;
    event.name = in.text();
    event.process = in.text();
    event.start = in.number();
    event.duration = in.number();
    auto parent = in.number();
    auto index = static_cast<std::int64_t>(body.events.size());
    event.parent = parent >= 0 && parent < index ? static_cast<int>(parent) : -1;
    for (auto attributes = in.count(); attributes > 0; --attributes) {
      std::string key = in.text();
      event.attributes.emplace_back(std::move(key), in.text());
    }
    body.events.push_back(std::move(event));
  }
  return body;
}

}  // namespace proa::runtime
