#include "engine/restart_policy.h"

#include <gtest/gtest.h>

#include "base/time.h"

namespace proa::engine {
namespace {

TEST(RestartPolicy, NoMeansNever) {
  EXPECT_FALSE(restart_delay({"", 0}, {.exit_code = 1}));
  EXPECT_FALSE(restart_delay({"no", 0}, {.exit_code = 1}));
}

// proves: I17
TEST(RestartPolicy, OnFailureStopsAfterItsCountAndAtSuccess) {
  api::RestartPolicy policy{"on-failure", 2};
  EXPECT_FALSE(restart_delay(policy, {.exit_code = 0}));
  EXPECT_TRUE(restart_delay(policy, {.exit_code = 1, .restarts = 1}));
  EXPECT_FALSE(restart_delay(policy, {.exit_code = 1, .restarts = 2}));
}

// proves: I17
TEST(RestartPolicy, AUsersStopIsRespectedButAlwaysComesBackWithTheDaemon) {
  EXPECT_FALSE(restart_delay({"always", 0}, {.stopped_by_user = true}));
  EXPECT_TRUE(restart_delay({"always", 0}, {.stopped_by_user = true, .daemon_restarted = true}));
  EXPECT_FALSE(restart_delay({"unless-stopped", 0}, {.stopped_by_user = true, .daemon_restarted = true}));
}

TEST(RestartPolicy, DelayDoublesToAMinuteAndBeginsAnewAfterTenSeconds) {
  api::RestartPolicy always{"always", 0};
  EXPECT_EQ(restart_delay(always, {}), 100 * kMillisecond);
  EXPECT_EQ(restart_delay(always, {.last_delay = 100 * kMillisecond}), 200 * kMillisecond);
  EXPECT_EQ(restart_delay(always, {.last_delay = 40 * kSecond}), 60 * kSecond);
  EXPECT_EQ(restart_delay(always, {.run_time = 10 * kSecond, .last_delay = 40 * kSecond}), 100 * kMillisecond);
}

}  // namespace
}  // namespace proa::engine
