#include "oci/platform.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace proa::oci {
namespace {

int rank(std::string_view wanted, std::string_view offered) {
  return preference(Platform::parse(wanted), Platform::parse(offered));
}

TEST(Platform, ReadsAliases) {
  EXPECT_EQ(Platform::parse("linux/x86_64").text(), "linux/amd64");
  EXPECT_EQ(Platform::parse("linux/aarch64").text(), "linux/arm64");
  EXPECT_EQ(Platform::parse("linux/arm64/v8").text(), "linux/arm64");
  EXPECT_EQ(Platform::parse("linux/arm").text(), "linux/arm/v7");
  EXPECT_EQ(Platform::parse("linux/arm/6").text(), "linux/arm/v6");
  EXPECT_EQ(Platform::parse("s390x").text(), "linux/s390x");
}

TEST(Platform, RefusesNonsense) {
  for (std::string_view text : {"", "linux/", "/amd64", "a/b/c/d", "lin ux/amd64", "nonsense", "linux/am$d64"}) {
    EXPECT_THROW(Platform::parse(text), Error) << text;
  }
}

TEST(Platform, PrefersAsContainerdDoes) {
  EXPECT_EQ(rank("linux/amd64", "linux/amd64"), 0);
  EXPECT_EQ(rank("linux/amd64", "linux/386"), 1);
  EXPECT_EQ(rank("linux/amd64", "linux/arm64"), -1);
  EXPECT_EQ(rank("linux/amd64", "windows/amd64"), -1);
  EXPECT_EQ(rank("linux/arm/v7", "linux/arm/v6"), 1);
  EXPECT_EQ(rank("linux/arm/v6", "linux/arm/v7"), -1);
  EXPECT_EQ(rank("linux/arm64", "linux/arm/v7"), 2);
  EXPECT_EQ(rank("linux/amd64/v3", "linux/amd64/v2"), 1);
  EXPECT_EQ(rank("linux/amd64/v3", "linux/amd64"), 2);
  EXPECT_EQ(rank("linux/386", "linux/amd64"), -1);
}

}  // namespace
}  // namespace proa::oci
