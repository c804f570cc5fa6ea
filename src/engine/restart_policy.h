// When a container that has ended is started again (pure).
#pragma once

#include <cstdint>
#include <optional>

#include "api/host_config.h"

namespace proa::engine {

struct EndOfRun {
  int exit_code = 0;
  int restarts = 0;              // so far, in a row
  bool stopped_by_user = false;  // docker stop or kill
  bool daemon_restarted = false;
  std::int64_t run_time = 0;    // ns
  std::int64_t last_delay = 0;  // ns; 0: none yet
};

// The delay before the next start in ns; nullopt: it stays ended. 100 ms, doubled each time up to a minute; a run of
// ten seconds begins anew.
std::optional<std::int64_t> restart_delay(const api::RestartPolicy& policy, const EndOfRun& end);

bool restarts_at_all(const api::RestartPolicy& policy);

}  // namespace proa::engine
