// JSON as the Docker and OCI world writes it: a DOM (Boost.JSON), strict bounded parsing, Go-shaped output.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace proa {

using Json = boost::json::value;
using JsonObject = boost::json::object;
using JsonArray = boost::json::array;

namespace json {

struct Limits {
  std::size_t depth = 200;
};

// One document; blanks around it are allowed, anything else after it is an error. Bytes that are not UTF-8 become
// U+FFFD first, as in Go. Throws InvalidArgument.
Json parse(std::string_view text, Limits limits = {});

enum class Escape { Minimal, Html };  // Html: '<', '>' and '&' as \u003c..., what Go does unless told not to

// Compact, keys in the order they have, shortest numbers.
std::string text(const Json& value, Escape escape = Escape::Minimal);
// The same with new lines and an indent per level (docker inspect uses four blanks).
std::string pretty(const Json& value, std::string_view indent, Escape escape = Escape::Minimal);
// A JSON string literal, quotes included; appended to `out`.
void append_string(std::string& out, std::string_view text, Escape escape = Escape::Minimal);

// nullptr if `value` is no object or has no such key.
const Json* find(const Json& value, std::string_view key);
// The member as string, integer, or bool; the empty value where it is missing or of another type.
std::string string_at(const Json& value, std::string_view key);
std::int64_t int_at(const Json& value, std::string_view key);
bool bool_at(const Json& value, std::string_view key);

}  // namespace json
}  // namespace proa
