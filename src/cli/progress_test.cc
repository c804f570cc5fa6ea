#include "cli/progress.h"

#include <gtest/gtest.h>

#include "base/time.h"

namespace proa::cli {
namespace {

TEST(Progress, SaysRateAndTimeLeftOnceTheyMeanSomething) {
  EXPECT_EQ(pace_text(1'000'000, 5'000'000, kSecond / 4), "");
  EXPECT_EQ(pace_text(0, 5'000'000, 10 * kSecond), "");
  EXPECT_EQ(pace_text(20'000'000, 50'000'000, 2 * kSecond), "10MB/s 5s");
  EXPECT_EQ(pace_text(20'000'000, 0, 2 * kSecond), "10MB/s");
  EXPECT_EQ(pace_text(1'000'000, 125'000'000, kSecond), "1MB/s 2m5s");
  EXPECT_EQ(pace_text(1'000'000, 7'320'000'000, kSecond), "1MB/s 2h2m");
}

}  // namespace
}  // namespace proa::cli
