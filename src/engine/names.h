// Names of containers: which are allowed, and one made up where none is given.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace proa::engine {

// [a-zA-Z0-9][a-zA-Z0-9_.-]+ ; a leading slash is taken off. Throws InvalidArgument with docker's text.
std::string checked_container_name(std::string_view name);

// "calm_turing"; with `attempt` > 0 a digit behind it.
std::string made_up_name(std::uint64_t random, int attempt);

}  // namespace proa::engine
