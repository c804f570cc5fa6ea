// "Up 5 minutes (healthy)" and the like (pure).
#pragma once

#include <string>

#include "engine/container.h"

namespace proa::engine {

std::string status_text(const State& state, UnixNanos now_);

}  // namespace proa::engine
