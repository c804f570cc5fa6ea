#include "http/range.h"

#include <gtest/gtest.h>

namespace proa::http {
namespace {

// RFC 9110 section 14.1.2, and its example of 10000 bytes.
TEST(Range, IsWhatTheSpecificationSays) {
  EXPECT_EQ(parse_range("bytes=0-499", 10000), (ByteRange{0, 500}));
  EXPECT_EQ(parse_range("bytes=500-999", 10000), (ByteRange{500, 500}));
  EXPECT_EQ(parse_range("bytes=-500", 10000), (ByteRange{9500, 500}));
  EXPECT_EQ(parse_range("bytes=9500-", 10000), (ByteRange{9500, 500}));
  EXPECT_EQ(parse_range("bytes=9500-20000", 10000), (ByteRange{9500, 500}));
  EXPECT_EQ(parse_range("bytes=-20000", 10000), (ByteRange{0, 10000}));
}

TEST(Range, ThatNothingIsThereOf) {
  for (const char* header : {"bytes=10000-", "bytes=10000-10001", "bytes=-0", "bytes=18446744073709551615-"}) {
    auto range = parse_range(header, 10000);
    EXPECT_TRUE(range && range->length == 0) << header;
  }
  EXPECT_EQ(parse_range("bytes=-5", 0)->length, 0U);
}

TEST(Range, ThatIsNoneIsPassedOver) {
  for (const char* header :
       {"", "bytes", "bytes=", "bytes=-", "bytes=5", "bytes=9-5", "bytes=a-5", "bytes=a-", "bytes=5-b", "lines=0-5",
        "bytes=0-1,5-6", "bytes=+1-5", "bytes=--5", "bytes=18446744073709551616-"})
    EXPECT_EQ(parse_range(header, 10000), std::nullopt) << header;
  EXPECT_EQ(parse_range("bytes=a-5", 10000), std::nullopt);  // not the last five
}

// The end of such a range does not wrap around to the beginning.
TEST(Range, ToTheLastNumberThereIs) {
  EXPECT_EQ(parse_range("bytes=5-18446744073709551615", 10000), (ByteRange{5, 9995}));
  EXPECT_EQ(parse_range("bytes=0-18446744073709551615", 10000), (ByteRange{0, 10000}));
}

TEST(ContentRange, InBothWritings) {
  EXPECT_EQ(parse_content_range("bytes 42-1233/1234"), (ByteRange{42, 1192}));
  EXPECT_EQ(parse_content_range("bytes 42-1233/*"), (ByteRange{42, 1192}));
  EXPECT_EQ(parse_content_range("0-0"), (ByteRange{0, 1}));
  for (const char* header :
       {"", "bytes */1234", "bytes 5-4/10", "5", "-5", "5-", "0-18446744073709551615", "0-18446744073709551616"})
    EXPECT_EQ(parse_content_range(header), std::nullopt) << header;
}

TEST(EntityTags, AreComparedWeakly) {
  for (const char* header : {"\"a\"", "\"b\", W/\"a\"", "*", "a"}) EXPECT_TRUE(lists_tag(header, "a")) << header;
  for (const char* header : {"", "\"", "\"ab\"", "\"A\""}) EXPECT_FALSE(lists_tag(header, "a")) << header;
}

}  // namespace
}  // namespace proa::http
