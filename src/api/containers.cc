#include "api/containers.h"

#include "api/container_fields.h"

namespace proa::api {
namespace {

struct CreateBody {
  HostConfig host_config;
  NetworkingConfig networking_config;
};

// Go's strslice: a string stands for a list of one.
Json with_lists(const Json& value) {
  if (!value.is_object()) return value;
  JsonObject object = value.get_object();
  for (auto& member : object) {
    if ((iequals(member.key(), "Cmd") || iequals(member.key(), "Entrypoint")) && member.value().is_string()) {
      member.value() = JsonArray{member.value()};
    }
  }
  return object;
}

}  // namespace
}  // namespace proa::api

namespace proa {
template <>
struct json::Fields<api::CreateBody> {
  static constexpr auto list = std::tuple{always("HostConfig", &api::CreateBody::host_config),
                                          always("NetworkingConfig", &api::CreateBody::networking_config)};
};
}  // namespace proa

namespace proa::api {

Json to_json(const ContainerConfig& value) { return json::encode(value); }
ContainerConfig container_config_from_json(const Json& value) {
  return json::decode<ContainerConfig>(with_lists(value));
}
Json to_json(const HealthConfig& value) { return json::encode(value); }
HealthConfig health_config_from_json(const Json& value) { return json::decode<HealthConfig>(value); }

Json to_json(const ContainerCreateRequest& value) {
  Json body = json::encode(value.config);
  body.get_object()["HostConfig"] = json::encode(value.host_config);
  body.get_object()["NetworkingConfig"] = json::encode(value.networking);
  return body;
}

ContainerCreateRequest container_create_request_from_json(const Json& body) {
  ContainerCreateRequest request;
  request.config = container_config_from_json(body);
  CreateBody rest = json::decode<CreateBody>(body);
  request.host_config = std::move(rest.host_config);
  request.networking = std::move(rest.networking_config);
  return request;
}

Json to_json(const ContainerCreateResponse& value) { return json::encode(value); }
ContainerCreateResponse container_create_response_from_json(const Json& value) {
  return json::decode<ContainerCreateResponse>(value);
}
Json to_json(const ContainerSummary& value) { return json::encode(value); }
ContainerSummary container_summary_from_json(const Json& value) { return json::decode<ContainerSummary>(value); }
Json to_json(const MountPoint& value) { return json::encode(value); }
MountPoint mount_point_from_json(const Json& value) { return json::decode<MountPoint>(value); }
Json to_json(const TopResponse& value) { return json::encode(value); }
TopResponse top_response_from_json(const Json& value) { return json::decode<TopResponse>(value); }
Json to_json(const WaitResult& value) { return json::encode(value); }
WaitResult wait_result_from_json(const Json& value) { return json::decode<WaitResult>(value); }
Json to_json(const UpdateResponse& value) { return json::encode(value); }
Json to_json(const FilesystemChange& value) { return json::encode(value); }
FilesystemChange filesystem_change_from_json(const Json& value) { return json::decode<FilesystemChange>(value); }
Json to_json(const ContainersPruneReport& value) { return json::encode(value); }
ContainersPruneReport containers_prune_report_from_json(const Json& value) {
  return json::decode<ContainersPruneReport>(value);
}

}  // namespace proa::api
