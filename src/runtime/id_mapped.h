// Id-mapped mounts (mount_setattr(2), MOUNT_ATTR_IDMAP): files of the source have other owners through the mount.
#pragma once

#include <map>
#include <vector>

#include "oci/runtime_spec.h"
#include "os/fd.h"
#include "runtime/mount_plan.h"

namespace proa::runtime {

// PARENT, as only the owner of the source's file system may: detached copies of the sources of those mounts that are to
// be id-mapped, by their place in `mounts`. Throws InvalidArgument where neither the mount nor the container has
// mappings, and names the source where its file system cannot do it.
std::map<std::size_t, os::Fd> open_id_mapped(const std::vector<MountStep>& mounts, const oci::Linux& linux);

}  // namespace proa::runtime
