// `docker top`: the host's ps, told which processes.
#pragma once

#include <sys/types.h>

#include <string_view>
#include <vector>

#include "api/containers.h"

namespace proa::engine {

// Throws InvalidArgument where the output has no PID column.
api::TopResponse processes(const std::vector<pid_t>& pids, std::string_view ps_arguments);

// The table of ps, cut into columns; the last one takes the rest of the line (pure).
api::TopResponse parse_ps(std::string_view output, const std::vector<pid_t>& pids);

}  // namespace proa::engine
