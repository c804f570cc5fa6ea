// Containers that run, but whose shims nobody can find any more.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace proa::engine {

// Ends the process that `pid` and `start_ticks` name, if it is there, and waits for its shim to be done with it. False:
// there is none.
bool end_unreachable(pid_t pid, std::uint64_t start_ticks);

}  // namespace proa::engine
