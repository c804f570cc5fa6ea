#include "engine/restart_policy.h"

#include <algorithm>

#include "base/time.h"

namespace proa::engine {

bool restarts_at_all(const api::RestartPolicy& policy) { return !policy.name.empty() && policy.name != "no"; }

std::optional<std::int64_t> restart_delay(const api::RestartPolicy& policy, const EndOfRun& end) {
  constexpr std::int64_t kFirst = 100 * kMillisecond, kLongest = 60 * kSecond, kGoodRun = 10 * kSecond;
  bool wanted = false;
  if (policy.name == "always") wanted = !end.stopped_by_user || end.daemon_restarted;
  if (policy.name == "unless-stopped") wanted = !end.stopped_by_user;
  if (policy.name == "on-failure") {
    wanted = !end.stopped_by_user && end.exit_code != 0 &&
             (policy.maximum_retry_count <= 0 || end.restarts < policy.maximum_retry_count);
  }
  if (!wanted) return std::nullopt;
  if (end.last_delay == 0 || end.run_time >= kGoodRun) return kFirst;
  return std::min(end.last_delay * 2, kLongest);
}

}  // namespace proa::engine
