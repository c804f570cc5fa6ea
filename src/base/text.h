// Small text functions that the whole project speaks.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace proa {

namespace text_detail {
inline void append(std::string& out, std::string_view piece) { out += piece; }
inline void append(std::string& out, char piece) { out += piece; }
template <class B>
requires std::is_same_v<B, bool>
void append(std::string& out, B piece) { out += piece ? "true" : "false"; }
template <class N>
requires(std::is_integral_v<N> && !std::is_same_v<N, char> && !std::is_same_v<N, bool>) void append(std::string& out,
                                                                                                    N number) {
  char digits[24];
  auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  out.append(digits, end);
}
void append(std::string& out, double number);
}  // namespace text_detail

// cat("port ", 80, " is taken"): its arguments, one after the other.
template <class... Pieces>
std::string cat(const Pieces&... pieces) {
  std::string out;
  (text_detail::append(out, pieces), ...);
  return out;
}

std::string_view trim(std::string_view text);
// Keeps empty fields: split("a::b", ':') is {"a","","b"}; split("", ':') is {""}.
std::vector<std::string> split(std::string_view text, char separator);
// At most two parts, at the first separator; the second is nullopt if there is none.
std::pair<std::string_view, std::optional<std::string_view>> cut(std::string_view text, char separator);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
bool iequals(std::string_view a, std::string_view b);
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

// The whole text as a decimal number within Int's range, without sign for unsigned types, blanks or 0x; else nullopt.
template <class Int>
std::optional<Int> parse_int(std::string_view text) {
  Int value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}
std::optional<double> parse_double(std::string_view text);

std::string to_hex(std::span<const std::uint8_t> bytes);
// RFC 4648 section 4 (standard alphabet, padded) and section 5 (URL-safe). Decoding takes both alphabets, padded or
// not.
std::string base64_encode(std::string_view bytes);
std::string base64url_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);

// Each byte that is no part of valid UTF-8 becomes U+FFFD, as Go's encoding/json does it.
std::string repair_utf8(std::string_view text);
bool is_utf8(std::string_view text);

// Go's %q: the text in double quotes, control characters and quotes escaped.
std::string quoted(std::string_view text);

}  // namespace proa
