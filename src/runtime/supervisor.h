// The seccomp agent of the specification (linux.seccomp.listenerPath).
#pragma once

#include "runtime/verbs.h"

namespace proa::runtime {

// PARENT: takes descriptor `listener` out of the process (pidfd_getfd(2)) and sends it. Throws what keeps it from that.
void tell_supervisor(const Supervisor& supervisor, int listener);

}  // namespace proa::runtime
