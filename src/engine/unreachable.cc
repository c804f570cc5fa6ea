#include "engine/unreachable.h"

#include <poll.h>

#include <csignal>

#include "os/process.h"

namespace proa::engine {

bool end_unreachable(pid_t pid, std::uint64_t start_ticks) {
  constexpr int kPatience = 5000;  // ms
  if (pid <= 1) return false;
  auto process = os::try_open_pidfd(pid);
  auto shim = os::parent_of(pid);
  if (!process || os::start_time_ticks(pid) != start_ticks) return false;
  auto keeper = shim.value_or(0) > 1 ? os::try_open_pidfd(*shim) : std::nullopt;
  if (!os::try_signal_pidfd(process->get(), SIGKILL)) return false;
  // It leaves when it has taken the control group down, which the next start wants to have again.
  pollfd item{(keeper ? *keeper : *process).get(), POLLIN, 0};
  ::poll(&item, 1, kPatience);
  return true;
}

}  // namespace proa::engine
