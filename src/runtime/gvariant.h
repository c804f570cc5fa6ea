// GVariant's text format, as far as properties of systemd's units go: a value of one basic type, or an array of such.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "os/dbus.h"

namespace proa::runtime {

struct GVariant {
  struct Element {
    std::uint64_t bits = 0;  // integers in two's complement, doubles as IEEE 754 has them
    std::string text;        // of strings
    friend bool operator==(const Element&, const Element&) = default;
  };
  char type = 0;  // D-Bus's letter: b y n q i u x t d s
  bool is_array = false;
  std::vector<Element> elements;  // exactly one where it is no array
  friend bool operator==(const GVariant&, const GVariant&) = default;
};

// "true", "'text'", "uint64 7", "1.5", "['a', 'b']", "[uint16 1, 2]", "@as []". Whole numbers without a type are int32.
// Pure. Throws InvalidArgument, whose message does not name the text.
GVariant parse_gvariant(std::string_view text);

std::string signature_of(const GVariant& value);
void append_gvariant(os::DBusBody& body, const GVariant& value);

}  // namespace proa::runtime
