// Where the running program lies.
#pragma once

#include <string>
#include <string_view>

namespace proa::os {

// The path of the program `name` that was installed beside the running one (proc(5), /proc/pid/exe). Throws as readlink
// does.
std::string program_beside(std::string_view name);

}  // namespace proa::os
