// From the mounts of a request to mount points with volumes that exist.
#pragma once

#include <vector>

#include "base/rollback.h"
#include "engine/container.h"

namespace proa::engine {

struct Rooms;

// Makes the volumes that are missing; holds all of them for the container. What was done is undone by `rollback`.
std::vector<volume::MountPoint> resolve_mounts(Rooms& rooms, const Definition& definition, Rollback& rollback);

}  // namespace proa::engine
