#include "api/host_config.h"

#include "api/host_config_fields.h"

namespace proa::api {

Json to_json(const HostConfig& value) { return json::encode(value); }
HostConfig host_config_from_json(const Json& value) { return json::decode<HostConfig>(value, "HostConfig"); }
Json to_json(const UpdateConfig& value) { return json::encode(value); }
UpdateConfig update_config_from_json(const Json& value) { return json::decode<UpdateConfig>(value); }

}  // namespace proa::api
