#include "http/range.h"

#include <algorithm>

#include "base/text.h"

namespace proa::http {

namespace {

// Digits only: no sign.
std::optional<std::uint64_t> position(std::string_view text) { return parse_int<std::uint64_t>(trim(text)); }

}  // namespace

std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit) || header.find(',') != header.npos) return std::nullopt;
  auto [first_text, last_text] = cut(header.substr(kUnit.size()), '-');
  if (!last_text) return std::nullopt;
  auto first = position(first_text), last = position(*last_text);
  if (trim(first_text).empty()) {  // the last so many bytes
    if (!last) return std::nullopt;
    std::uint64_t length = std::min(*last, size);
    return ByteRange{size - length, length};
  }
  if (!first || (!last && !trim(*last_text).empty()) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return ByteRange{*first, 0};
  std::uint64_t left = size - *first;
  return ByteRange{*first, last ? std::min(*last - *first, left - 1) + 1 : left};
}

std::optional<ByteRange> parse_content_range(std::string_view header) {
  constexpr std::string_view kUnit = "bytes ";
  if (header.starts_with(kUnit)) header.remove_prefix(kUnit.size());
  auto [first_text, last_text] = cut(cut(header, '/').first, '-');
  auto first = position(first_text), last = position(last_text.value_or(""));
  if (!first || !last || *last < *first || *last - *first == UINT64_MAX) return std::nullopt;
  return ByteRange{*first, *last - *first + 1};
}

bool lists_tag(std::string_view if_none_match, std::string_view tag) {
  for (const std::string& one : split(if_none_match, ',')) {
    std::string_view listed = trim(one);
    if (listed.starts_with("W/")) listed.remove_prefix(2);
    if (listed.size() > 1 && listed.front() == '"' && listed.back() == '"')
      listed = listed.substr(1, listed.size() - 2);
    if (listed == "*" || listed == tag) return true;
  }
  return false;
}

}  // namespace proa::http
