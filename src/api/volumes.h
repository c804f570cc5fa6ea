// Volumes (swagger v1.56).
#pragma once

#include "api/host_config.h"

namespace proa::api {

struct VolumeUsage {
  std::int64_t size = -1, ref_count = -1;
};
struct VolumeResource {
  std::string created_at, driver;
  StringMap labels;
  std::string mountpoint, name;
  StringMap options;
  std::string scope = "local";
  std::optional<VolumeUsage> usage_data;
};
struct VolumeCreateRequest {
  std::string name, driver;
  StringMap driver_opts, labels;
};
struct VolumeListResponse {
  std::vector<VolumeResource> volumes;
  Strings warnings;
};
struct VolumesPruneReport {
  Strings volumes_deleted;
  std::uint64_t space_reclaimed = 0;
};

Json to_json(const VolumeResource& value);
VolumeResource volume_resource_from_json(const Json& value);
Json to_json(const VolumeCreateRequest& value);
VolumeCreateRequest volume_create_request_from_json(const Json& value);
Json to_json(const VolumeListResponse& value);
VolumeListResponse volume_list_response_from_json(const Json& value);
Json to_json(const VolumesPruneReport& value);

}  // namespace proa::api
