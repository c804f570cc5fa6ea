#include "engine/live_root.h"

#include "base/text.h"
#include "os/process.h"

namespace proa::engine {

os::RootedDir live_root(const Container& container, const State& state) {
  auto is_init = [&] { return os::start_time_ticks(state.pid) == state.start_ticks; };
  if (is_init()) {
    auto root = os::RootedDir::open(cat("/proc/", std::to_string(state.pid), "/root"));
    if (is_init()) return root;  // it was when the root was opened, too
  }
  throw Error(ErrorKind::Conflict, cat("container ", container.id(), " is not running"));
}

}  // namespace proa::engine
