#include "base/text.h"

#include <gtest/gtest.h>

namespace proa {
namespace {

TEST(Text, CatJoinsPiecesOfAllKinds) { EXPECT_EQ(cat("a", 'b', 7, -3, true, 1.5, std::string("s")), "ab7-3true1.5s"); }

TEST(Text, SplitKeepsEmptyFields) {
  EXPECT_EQ(split("a::b", ':'), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(split("", ':'), std::vector<std::string>{""});
}

TEST(Text, ParseIntTakesTheWholeTextOrNothing) {
  EXPECT_EQ(parse_int<int>("12"), 12);
  EXPECT_EQ(parse_int<int>("-12"), -12);
  for (auto* text : {"", "+1", " 1", "1 ", "0x1", "1x", "4294967296"})
    EXPECT_EQ(parse_int<int>(text), std::nullopt) << text;
  EXPECT_EQ(parse_int<unsigned>("-1"), std::nullopt);
}

// RFC 4648, section 10.
TEST(Text, Base64HasTheTestVectorsOfTheRfc) {
  const std::pair<std::string_view, std::string_view> vectors[] = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(base64_encode(plain), encoded);
    EXPECT_EQ(base64_decode(encoded), plain);
  }
  EXPECT_EQ(base64url_encode("\xFB\xFF"), "-_8=");
  EXPECT_EQ(base64_decode("-_8"), "\xFB\xFF");
  EXPECT_EQ(base64_decode("a*"), std::nullopt);
}

TEST(Text, RepairReplacesEachBadByte) {
  EXPECT_EQ(repair_utf8("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(repair_utf8("\xC3\xA4"), "\xC3\xA4");
  EXPECT_EQ(repair_utf8("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "a surrogate is no character";
  EXPECT_FALSE(is_utf8("\xC0\x80"));
}

}  // namespace
}  // namespace proa
