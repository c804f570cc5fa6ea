// Fields of a tar header block (POSIX 1003.1 ustar; GNU tar's tar.h), shared by reader and writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace proa::archive::format {

inline constexpr std::size_t kBlock = 512;

struct FieldAt {
  std::size_t offset, size;
};
inline constexpr FieldAt kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12}, kMtime{136, 12},
    kChecksum{148, 8}, kType{156, 1}, kLink{157, 100}, kMagic{257, 8}, kUser{265, 32}, kGroup{297, 32}, kMajor{329, 8},
    kMinor{337, 8}, kPrefix{345, 155}, kStarPrefix{345, 131}, kStarTrailer{508, 4};
// GNU's old sparse header and its continuation blocks.
inline constexpr FieldAt kSparseMap{386, 96}, kSparseMore{482, 1}, kSparseRealSize{483, 12};
inline constexpr FieldAt kSparseNextMap{0, 504}, kSparseNextMore{504, 1};
inline constexpr std::size_t kSparseNumber = 12;

inline std::string_view field(const std::byte* block, FieldAt at) {
  return {reinterpret_cast<const char*>(block) + at.offset, at.size};
}
// Up to the first NUL.
inline std::string_view text(const std::byte* block, FieldAt at) {
  std::string_view whole = field(block, at);
  return whole.substr(0, whole.find('\0'));
}
// Octal (blanks and NULs around it), or base-256; empty is 0. nullopt: neither, or beyond 64 bits.
std::optional<std::int64_t> number(std::string_view field);

// The block's sum as POSIX (unsigned) and as old tars (signed) compute it.
std::pair<std::int64_t, std::int64_t> checksums(const std::byte* block);
bool is_zero(const std::byte* block);
bool checksum_holds(const std::byte* block);

using Records = std::vector<std::pair<std::string, std::string>>;
// The records of a PAX header, in order. nullopt where any is malformed (go's archive/tar validPAXRecord).
std::optional<Records> parse_pax(std::string_view text);
// "12 path=a/b\n"; its length counts itself.
std::string pax_record(std::string_view key, std::string_view value);

struct Time {
  std::int64_t seconds = 0;
  std::uint32_t nanos = 0;
};
// "-1.5" is {-2, 500000000}; digits past nanoseconds are dropped.
std::optional<Time> parse_time(std::string_view text);

}  // namespace proa::archive::format
