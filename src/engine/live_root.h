#pragma once

#include "engine/container.h"
#include "os/rooted_dir.h"

namespace proa::engine {

// The root of a running container as its processes see it, mounts included. Throws Conflict where its init has ended:
// the number may be another process's by now, and that one's root the host's.
os::RootedDir live_root(const Container& container, const State& state);

}  // namespace proa::engine
