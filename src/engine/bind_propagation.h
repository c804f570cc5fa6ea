// Binds whose mounts go on to others (shared), or come from them (slave): only where the host's mount has others.
#pragma once

#include <string>
#include <vector>

#include "volume/mount_args.h"

namespace proa::engine {

// Throws with docker's texts where the mount that a bind's source is on is private.
void check_propagation(const std::vector<volume::MountPoint>& points);

// rootfsPropagation with which these binds are what they say; "": the runtime's default will do. Pure.
std::string root_propagation(const std::vector<volume::MountPoint>& points);

}  // namespace proa::engine
