#include "os/dbus.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "os/file.h"
#include "os/socket.h"

namespace proa::os {
namespace {

constexpr std::uint8_t kMethodCall = 1, kMethodReturn = 2, kError = 3;
constexpr std::size_t kFixedHeader = 16, kLimit = 1 << 20;
enum Field : std::uint8_t {
  Path = 1,
  Interface = 2,
  Member = 3,
  ErrorName = 4,
  ReplySerial = 5,
  Destination = 6,
  Signature = 8
};

class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}
  bool done() const { return at_ >= bytes_.size(); }
  void align(std::size_t to) { at_ = (at_ + to - 1) / to * to; }
  std::uint8_t byte() { return static_cast<std::uint8_t>(take(1)[0]); }
  std::uint32_t u32() {
    align(4);
    std::uint32_t value;
    std::memcpy(&value, take(4).data(), 4);
    return value;
  }
  std::string_view text(std::size_t size) {
    auto out = take(size);
    take(1);  // its NUL
    return out;
  }

 private:
  std::string_view take(std::size_t size) {
    if (size > bytes_.size() || at_ > bytes_.size() - size) throw Error(ErrorKind::DataLoss, "a D-Bus message is cut");
    auto out = bytes_.substr(at_, size);
    at_ += size;
    return out;
  }
  std::string_view bytes_;
  std::size_t at_ = 0;
};

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value;
  std::memcpy(&value, bytes.data() + at, 4);
  return value;
}

// Whether users have other numbers outside of our user namespace, where systemd may be.
bool is_renumbered() {
  auto words = split(trim(try_read_file("/proc/self/uid_map").value_or("")), ' ');
  std::erase(words, "");
  return words.size() < 3 || words[0] != words[1];
}

}  // namespace

void DBusBody::u16(std::uint16_t value) {
  align(2);
  bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void DBusBody::u32(std::uint32_t value) {
  align(4);
  bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void DBusBody::u64(std::uint64_t value) {
  align(8);
  bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void DBusBody::string(std::string_view value) {
  u32(static_cast<std::uint32_t>(value.size()));
  bytes_.append(value);
  bytes_.push_back('\0');
}

void DBusBody::signature(std::string_view value) {
  byte(static_cast<std::uint8_t>(value.size()));
  bytes_.append(value);
  bytes_.push_back('\0');
}

DBusBody::Array DBusBody::begin_array(std::size_t alignment) {
  u32(0);
  std::size_t length_at = bytes_.size() - 4;
  align(alignment);
  return {length_at, bytes_.size()};
}

void DBusBody::end_array(Array array) {
  auto size = static_cast<std::uint32_t>(bytes_.size() - array.first);
  std::memcpy(bytes_.data() + array.length_at, &size, sizeof size);
}

std::string render_dbus_call(const DBusCall& call, std::string_view body, std::uint32_t serial) {
  DBusBody message;
  message.byte('l');
  message.byte(kMethodCall);
  message.byte(0);  // flags
  message.byte(1);  // version of the protocol
  message.u32(static_cast<std::uint32_t>(body.size()));
  message.u32(serial);
  auto fields = message.begin_array(8);
  auto field = [&](Field code, std::string_view type, std::string_view value) {
    if (value.empty()) return;
    message.align(8);
    message.byte(code);
    message.signature(type);
    type == "g" ? message.signature(value) : message.string(value);
  };
  field(Path, "o", call.path);
  field(Interface, "s", call.interface);
  field(Member, "s", call.member);
  field(Destination, "s", call.destination);
  field(Signature, "g", call.signature);
  message.end_array(fields);
  message.align(8);
  return cat(message.bytes(), body);
}

DBusReply parse_dbus_fields(std::string_view fields) {
  DBusReply reply;
  Cursor cursor(fields);
  while (!cursor.done()) {
    cursor.align(8);
    if (cursor.done()) break;
    auto code = cursor.byte();
    auto type = cursor.text(cursor.byte());
    if (type == "s" || type == "o") {
      auto value = cursor.text(cursor.u32());
      if (code == ErrorName) reply.error = value;
    } else if (type == "g") {
      cursor.text(cursor.byte());
    } else if (type == "u") {
      auto value = cursor.u32();
      if (code == ReplySerial) reply.reply_to = value;
    } else {
      throw Error(ErrorKind::DataLoss, "a D-Bus message has a header of an unknown type");
    }
  }
  return reply;
}

DBus::DBus(Fd socket) : socket_(std::move(socket)) {
  timeval limit{30, 0};
  check(::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), "limit the wait for D-Bus");
  // EXTERNAL: the kernel says who we are. We name the same user, its number's digits in hexadecimal; or nobody (which
  // systemd from 246 on takes), where the other side may know us by another number.
  std::string user;
  for (char digit : cat(::geteuid())) user += cat("3", digit);
  bool nameless = is_renumbered();
  std::string who = nameless ? "AUTH EXTERNAL\r\nDATA\r\n" : cat("AUTH EXTERNAL ", user, "\r\n");
  // All in one write, and nothing more before all answers: systemd does not look at a message that it reads together
  // with BEGIN until there is another. (We pass no descriptors; that question only tells us that it has read so far.)
  write_all(socket_.get(), cat(std::string_view("\0", 1), who, "NEGOTIATE_UNIX_FD\r\nBEGIN\r\n"));
  if (nameless) read_line();
  std::string answer = read_line();
  if (!answer.starts_with("OK ")) throw Error(ErrorKind::Forbidden, cat("D-Bus refused us: ", trim(answer)));
  read_line();
}

std::string DBus::read_line() {
  std::string line;
  while (!line.ends_with('\n') && line.size() < 1024) line += read_some(1);
  return line;
}

DBus DBus::connect_systemd(std::string_view socket) { return DBus(connect_unix(socket, SOCK_STREAM)); }

std::string DBus::read_some(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t got = 0; got < size;) {
    auto now = ::recv(socket_.get(), out.data() + got, size - got, 0);
    if (now < 0 && errno == EINTR) continue;
    if (now < 0) fail("wait for a reply by D-Bus");
    if (now == 0) throw Error(ErrorKind::Unavailable, "D-Bus hung up");
    got += static_cast<std::size_t>(now);
  }
  return out;
}

std::string DBus::call(const DBusCall& call, const DBusBody& body) {
  std::uint32_t serial = ++serial_;
  write_all(socket_.get(), render_dbus_call(call, body.bytes(), serial));
  for (;;) {
    std::string header = read_some(kFixedHeader);
    auto body_size = number_at(header, 4), fields_size = number_at(header, 12);
    if (header[0] != 'l' || body_size > kLimit || fields_size > kLimit) {
      throw Error(ErrorKind::DataLoss, "a D-Bus message cannot be read");
    }
    std::string fields = read_some((fields_size + 7) / 8 * 8);
    std::string content = read_some(body_size);
    if (header[1] != kMethodReturn && header[1] != kError) continue;  // a signal
    auto reply = parse_dbus_fields(std::string_view(fields).substr(0, fields_size));
    if (reply.reply_to != serial) continue;
    if (header[1] == kMethodReturn) return content;
    std::string words = content.size() > 5 ? content.substr(4, content.size() - 5) : "";
    throw Error(ErrorKind::Unavailable, cat(reply.error, ": ", words));
  }
}

}  // namespace proa::os
