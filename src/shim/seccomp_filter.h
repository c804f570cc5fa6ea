// A container's system call filter, compiled by the daemon once for all containers that have the same: a start neither
// compiles it nor sends its rules.
#pragma once

#include "oci/runtime_spec.h"
#include "os/fd.h"
#include "runtime/seccomp.h"

namespace proa::shim {

// In memory that nobody can change any more; it travels beside a CreateRequest as "seccomp". Throws InvalidArgument.
os::Fd compile_filter(const oci::Seccomp& profile);
runtime::SeccompProgram read_filter(const os::Fd& filter);
using runtime::drop_compiled_rules;

}  // namespace proa::shim
