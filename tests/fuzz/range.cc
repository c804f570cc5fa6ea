// Range, Content-Range and If-None-Match headers and, in decimal, the size of what they are about, each ended by a zero
// byte.
#include "http/range.h"
#include "base/text.h"
#include "target.h"

using namespace proa;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto parts = fuzz::parts_of(fuzz::text_of(data, size), 4);
  std::uint64_t there = parse_int<std::uint64_t>(parts[3]).value_or(0);
  if (auto range = http::parse_range(parts[0], there); range && range->length > 0) {
    // Within what is there, whatever was asked for.
    fuzz::demand(range->first < there && range->length <= there - range->first);
    // Asked for by itself it is the same.
    auto again = http::parse_range(cat("bytes=", range->first, "-", range->first + (range->length - 1)), there);
    fuzz::demand(again == range);
  }
  if (auto range = http::parse_content_range(parts[1])) {
    fuzz::demand(range->length > 0 && range->first <= UINT64_MAX - (range->length - 1));
    auto again = http::parse_content_range(cat("bytes ", range->first, "-", range->first + (range->length - 1), "/*"));
    fuzz::demand(again == range);
  }
  bool listed = http::lists_tag(parts[2], "sha256:1");
  fuzz::demand(!listed || parts[2].find('*') != parts[2].npos || parts[2].find("sha256:1") != parts[2].npos);
  return 0;
}
