// proa-registry: the whole program.
#pragma once

#include <string>
#include <vector>

namespace proa::registry_server {

// The exit status.
int run_program(const std::vector<std::string>& arguments);

}  // namespace proa::registry_server
