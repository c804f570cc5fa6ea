// A D-Bus client as small as talking to systemd needs: a socket, method calls, their replies (D-Bus specification
// 0.41).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "os/fd.h"

namespace proa::os {

// Values in the order of their signature, little endian, each at its alignment.
class DBusBody {
 public:
  void byte(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void u16(std::uint16_t value);
  void u32(std::uint32_t value);
  void u64(std::uint64_t value);
  void boolean(bool value) { u32(value ? 1 : 0); }
  void string(std::string_view value);  // also an object path
  void signature(std::string_view value);
  void align(std::size_t to) { bytes_.resize((bytes_.size() + to - 1) / to * to); }
  struct Array {
    std::size_t length_at, first;
  };
  // Elements go between the two; `alignment` is that of their type.
  Array begin_array(std::size_t alignment);
  void end_array(Array array);
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

struct DBusCall {
  std::string_view destination, path, interface, member, signature;
};

class DBus {
 public:
  // systemd's own socket, for its user alone: no bus daemon takes part. Root's is /run/systemd/private.
  static DBus connect_systemd(std::string_view socket);
  // Waits for the reply. An error reply is an Error whose message begins with the error's name.
  std::string call(const DBusCall& call, const DBusBody& body);

 private:
  explicit DBus(Fd socket);
  std::string read_some(std::size_t size);
  std::string read_line();
  Fd socket_;
  std::uint32_t serial_ = 0;
};

// The bytes of a method call; what a reply's header says. Pure.
std::string render_dbus_call(const DBusCall& call, std::string_view body, std::uint32_t serial);
struct DBusReply {
  std::uint32_t reply_to = 0;
  std::string error;  // its name; "": none
};
// `fields`: the header's array, without its length. Throws DataLoss for what is none.
DBusReply parse_dbus_fields(std::string_view fields);

}  // namespace proa::os
