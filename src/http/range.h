// What part of a resource is asked for or sent, and whether it is wanted at all: HTTP's ranges and entity tags (RFC
// 9110 sections 13 and 14), and the ranges of uploads to a registry (distribution specification, "pushing a blob in
// chunks").
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace proa::http {

struct ByteRange {
  std::uint64_t first = 0, length = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

// What a Range header asks for of `size` bytes. nullopt: nothing that is understood, or several ranges; the whole is to
// be sent. A length of 0: none of it is there, the answer is 416.
std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t size);

// "bytes 5-9/100", and without the unit or the size as in uploads: "5-9". nullopt: it is none.
std::optional<ByteRange> parse_content_range(std::string_view header);

// Does an If-None-Match header have `tag` (without its quotes) in its list? Weak ones compare as strong ones, "*" is
// any; the quotes may be missing, as registries have always allowed.
bool lists_tag(std::string_view if_none_match, std::string_view tag);

}  // namespace proa::http
