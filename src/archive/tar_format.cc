#include "archive/tar_format.h"

#include <algorithm>

#include "base/text.h"

namespace proa::archive::format {
namespace {

std::optional<std::int64_t> base256(std::string_view field) {
  bool negative = field[0] & 0x40;
  std::uint64_t value = negative ? ~0ULL : 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    auto byte = static_cast<std::uint8_t>(field[i]);
    if (i == 0) byte = negative ? byte | 0x80 : byte & 0x7f;
    std::uint64_t lost = value >> 56;
    if (lost != (negative ? 0xffU : 0U)) return std::nullopt;
    value = value << 8 | byte;
  }
  if ((value >> 63 != 0) != negative) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

bool has_nul(std::string_view text) { return text.find('\0') != text.npos; }

bool valid_record(std::string_view key, std::string_view value) {
  if (key.empty()) return false;
  if (key == "path" || key == "linkpath" || key == "uname" || key == "gname") return !has_nul(value);
  return !has_nul(key) && key.find('\n') == key.npos;
}

}  // namespace

std::optional<std::int64_t> number(std::string_view field) {
  if (!field.empty() && field[0] & 0x80) return base256(field);
  auto blank = [](char c) { return c == ' ' || c == '\0'; };
  while (!field.empty() && blank(field.front())) field.remove_prefix(1);
  field = field.substr(0, field.find('\0'));
  while (!field.empty() && blank(field.back())) field.remove_suffix(1);
  std::int64_t value = 0;
  for (char c : field) {
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + (c - '0');  // at most 12 digits
  }
  return value;
}

std::pair<std::int64_t, std::int64_t> checksums(const std::byte* block) {
  std::int64_t plain = 0, with_sign = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    auto byte = std::to_integer<std::uint8_t>(block[i]);
    if (i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size) byte = ' ';
    plain += byte;
    with_sign += static_cast<std::int8_t>(byte);
  }
  return {plain, with_sign};
}

bool is_zero(const std::byte* block) {
  return std::all_of(block, block + kBlock, [](std::byte b) { return b == std::byte{0}; });
}

bool checksum_holds(const std::byte* block) {
  auto stored = number(field(block, kChecksum));
  auto [plain, with_sign] = checksums(block);
  return stored && (*stored == plain || *stored == with_sign);
}

std::optional<Records> parse_pax(std::string_view text) {
  Records records;
  while (!text.empty()) {
    auto blank = text.find(' ');
    if (blank == text.npos || blank > 10) return std::nullopt;
    auto size = parse_int<std::uint32_t>(text.substr(0, blank));
    if (!size || *size < blank + 3 || *size > text.size()) return std::nullopt;
    std::string_view record = text.substr(blank + 1, *size - blank - 1);
    if (record.back() != '\n') return std::nullopt;
    record.remove_suffix(1);
    auto equals = record.find('=');
    if (equals == record.npos) return std::nullopt;
    std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (!valid_record(key, value)) return std::nullopt;
    records.emplace_back(key, value);
    text.remove_prefix(*size);
  }
  return records;
}

std::string pax_record(std::string_view key, std::string_view value) {
  std::size_t body = key.size() + value.size() + 3;  // blank, '=', new line
  std::size_t size = body + cat(body).size();
  size = body + cat(size).size();
  return cat(size, ' ', key, '=', value, '\n');
}

std::optional<Time> parse_time(std::string_view text) {
  auto [whole, fraction] = cut(text, '.');
  auto seconds = parse_int<std::int64_t>(whole);
  if (!seconds) return std::nullopt;
  std::uint32_t nanos = 0;
  if (fraction) {
    for (std::size_t i = 0; i < 9; ++i)
      nanos = nanos * 10 + (i < fraction->size() && (*fraction)[i] >= '0' && (*fraction)[i] <= '9'
                                ? static_cast<std::uint32_t>((*fraction)[i] - '0')
                                : 0);
    for (char c : *fraction) {
      if (c < '0' || c > '9') return std::nullopt;
    }
  }
  if (text.starts_with('-') && nanos != 0) {
    if (*seconds == INT64_MIN) return std::nullopt;
    return Time{*seconds - 1, 1'000'000'000 - nanos};
  }
  return Time{*seconds, nanos};
}

}  // namespace proa::archive::format
