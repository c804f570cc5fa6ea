#include "api/volumes.h"

#include "api/volume_fields.h"

namespace proa::api {

Json to_json(const VolumeResource& value) { return json::encode(value); }
VolumeResource volume_resource_from_json(const Json& value) { return json::decode<VolumeResource>(value); }
Json to_json(const VolumeCreateRequest& value) { return json::encode(value); }
VolumeCreateRequest volume_create_request_from_json(const Json& value) {
  return json::decode<VolumeCreateRequest>(value);
}
Json to_json(const VolumeListResponse& value) { return json::encode(value); }
VolumeListResponse volume_list_response_from_json(const Json& value) { return json::decode<VolumeListResponse>(value); }
Json to_json(const VolumesPruneReport& value) { return json::encode(value); }

}  // namespace proa::api
