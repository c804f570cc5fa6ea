// linux.netDevices: the host's network devices that become the container's.
#pragma once

#include <sys/types.h>

#include "oci/runtime_spec.h"

namespace proa::runtime {

// Throws InvalidArgument for names that no device can have, and two that would have the same one.
void check_net_devices(const oci::Linux& linux);
// PARENT, once the container's init `pid` lives in its network namespace: moves each device there, gives it its new
// name and its addresses back, and sets it up. With the namespace's end the kernel gives real devices back to the host.
void move_net_devices(const oci::Linux& linux, pid_t pid);

}  // namespace proa::runtime
