// GET /system/df: what images, containers and volumes take, in the layout of each version.
#pragma once

#include <optional>
#include <vector>

#include "api/containers.h"
#include "api/images.h"
#include "api/versions.h"
#include "api/volumes.h"

namespace proa::api {

struct DiskUsage {  // unset: not asked for
  std::int64_t layers_size = 0;
  std::optional<std::vector<ImageSummary>> images;
  std::optional<std::vector<ContainerSummary>> containers;
  std::optional<std::vector<VolumeResource>> volumes;
  bool build_cache = true;  // there is never anything in it
};

// How much of one kind there is and what a prune would give back.
struct KindUsage {
  std::int64_t active = 0, total = 0, reclaimable = 0, size = 0;
};
KindUsage images_usage(const std::vector<ImageSummary>& images, std::int64_t layers_size);
KindUsage containers_usage(const std::vector<ContainerSummary>& containers);
KindUsage volumes_usage(const std::vector<VolumeResource>& volumes);

// Before 1.52 lists only; in 1.52 sums beside them, unless `verbose` is given; since 1.53 sums, to which `verbose` adds
// the lists. `verbose`: unset where the client said nothing.
Json disk_usage_reply(const DiskUsage& usage, std::optional<bool> verbose, ApiVersion version);

}  // namespace proa::api
