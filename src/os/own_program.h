// The running program as a file.
#pragma once

#include <string>
#include <string_view>

#include "os/fd.h"

namespace proa::os {

// The path of the program `name` that was installed beside the running one (proc(5), /proc/pid/exe). Throws as readlink
// does.
std::string program_beside(std::string_view name);

// Whether nobody can write to the running program through /proc/PID/exe: it was executed from what the next one gives.
bool own_program_is_sealed();
// The running program behind a read-only mount, or, for who may make no mounts, as a sealed copy in memory.
Fd seal_own_program();

}  // namespace proa::os
