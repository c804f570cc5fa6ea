// Which of a container's mounts come from outside of it: a checkpoint has their names, not what is in them.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "oci/runtime_spec.h"
#include "runtime/cgroup.h"
#include "runtime/criu_message.h"

namespace proa::runtime {

// For a dump: places in the running container `pid`, and their names.
std::vector<criu::Pair> external_places(const oci::Spec& spec, const CgroupHandle& cgroup, pid_t pid);
// For a restore: names, and the host's paths to mount under them.
std::vector<criu::Pair> external_sources(const oci::Spec& spec, const std::string& bundle, const CgroupHandle& cgroup);

}  // namespace proa::runtime
