#include "api/networks.h"

#include "api/network_fields.h"

namespace proa::api {

Json to_json(const EndpointSettings& value) { return json::encode(value); }
EndpointSettings endpoint_settings_from_json(const Json& value) { return json::decode<EndpointSettings>(value); }
Json to_json(const NetworkingConfig& value) { return json::encode(value); }
NetworkingConfig networking_config_from_json(const Json& value) { return json::decode<NetworkingConfig>(value); }
Json to_json(const NetworkResource& value) { return json::encode(value); }
NetworkResource network_resource_from_json(const Json& value) { return json::decode<NetworkResource>(value); }
Json to_json(const NetworkCreateRequest& value) { return json::encode(value); }
NetworkCreateRequest network_create_request_from_json(const Json& value) {
  return json::decode<NetworkCreateRequest>(value);
}
Json to_json(const NetworkCreateResponse& value) { return json::encode(value); }
Json to_json(const NetworkConnect& value) { return json::encode(value); }
NetworkConnect network_connect_from_json(const Json& value) { return json::decode<NetworkConnect>(value); }
Json to_json(const NetworkDisconnect& value) { return json::encode(value); }
NetworkDisconnect network_disconnect_from_json(const Json& value) { return json::decode<NetworkDisconnect>(value); }
Json to_json(const NetworksPruneReport& value) { return json::encode(value); }

}  // namespace proa::api
