// What only cgroup v2 has: controllers that parents hand down, and groups that are given to the container's user.
#pragma once

#include <string>

#include "oci/runtime_spec.h"
#include "runtime/cgroup.h"

namespace proa::runtime {

// Makes every controller of the host available to the group at `path` by its parents, which are made where they are
// missing. What a parent refuses is noticed when a limit needs it.
void hand_down_controllers(const std::string& root, const std::string& path);

// The specification's "cgroup ownership": a container with a user and a cgroup namespace of its own, and cgroups
// mounted writable, owns its group, so that its init may make groups below.
void delegate_cgroup(const CgroupHandle& cgroup, const oci::Spec& spec);

}  // namespace proa::runtime
