// Containers: what create takes, and what list and the small operations return (swagger v1.56). Inspect: inspect.h.
#pragma once

#include "api/host_config.h"
#include "api/networks.h"

namespace proa::api {

struct HealthConfig {
  Strings test;  // {"NONE"}, {"CMD", ...}, {"CMD-SHELL", text}
  std::int64_t interval = 0, timeout = 0, start_period = 0, start_interval = 0;  // ns, 0: the default
  int retries = 0;
};

struct ContainerConfig {
  std::string hostname, domainname, user;
  bool attach_stdin = false, attach_stdout = false, attach_stderr = false;
  StringSet exposed_ports;
  bool tty = false, open_stdin = false, stdin_once = false;
  Strings env;
  std::optional<Strings> cmd;  // null: the image's
  std::optional<HealthConfig> healthcheck;
  bool args_escaped = false;
  std::string image;
  StringSet volumes;
  std::string working_dir;
  std::optional<Strings> entrypoint;  // null: the image's; {} or {""}: none
  bool network_disabled = false;
  std::string mac_address;  // before 1.44; later part of the endpoint
  std::optional<Strings> on_build;
  StringMap labels;
  std::string stop_signal;
  std::optional<int> stop_timeout;  // seconds
  Strings shell;
};

// POST /containers/create?name=&platform=: the body is config with HostConfig and NetworkingConfig beside its members.
struct ContainerCreateRequest {
  ContainerConfig config;
  HostConfig host_config;
  NetworkingConfig networking;
  std::string name;      // query; "": choose one
  std::string platform;  // query; "os[/arch[/variant]]" or JSON
  std::string api_version = "1.56";
};
struct ContainerCreateResponse {
  std::string id;
  Strings warnings;
};

struct Port {
  std::string ip;
  std::uint16_t private_port = 0, public_port = 0;
  std::string type;
};
struct MountPoint {
  std::string type, name, source, destination, driver, mode;
  bool rw = false;
  std::string propagation;
};

struct GraphDriver {
  StringMap data;
  std::string name;
};

struct SummaryHostConfig {
  std::string network_mode;
  StringMap annotations;
};
struct HealthSummary {
  std::string status = "none";  // none, starting, healthy, unhealthy
  int failing_streak = 0;
};
struct SummaryNetworks {
  std::map<std::string, EndpointSettings> networks;
};
struct ContainerSummary {
  std::string id;
  Strings names;
  std::string image, image_id, command;
  std::int64_t created = 0;  // unix seconds
  std::vector<Port> ports;
  std::optional<std::int64_t> size_rw, size_root_fs;
  StringMap labels;
  std::string state, status;
  HealthSummary health;
  SummaryHostConfig host_config;
  SummaryNetworks network_settings;
  std::vector<MountPoint> mounts;
};

struct TopResponse {
  std::vector<Strings> processes;
  Strings titles;
};
struct WaitError {
  std::string message;
};
struct WaitResult {
  std::int64_t status_code = 0;
  std::optional<WaitError> error;
};
struct UpdateResponse {
  Strings warnings;
};
enum class ChangeKind { Modified = 0, Added = 1, Deleted = 2 };
struct FilesystemChange {
  std::string path;
  int kind = 0;
};
struct ContainersPruneReport {
  Strings containers_deleted;
  std::uint64_t space_reclaimed = 0;
};

Json to_json(const ContainerConfig& value);
ContainerConfig container_config_from_json(const Json& value);
Json to_json(const HealthConfig& value);
HealthConfig health_config_from_json(const Json& value);
Json to_json(const ContainerCreateRequest& value);  // the body
ContainerCreateRequest container_create_request_from_json(const Json& body);
Json to_json(const ContainerCreateResponse& value);
ContainerCreateResponse container_create_response_from_json(const Json& value);
Json to_json(const ContainerSummary& value);
ContainerSummary container_summary_from_json(const Json& value);
Json to_json(const MountPoint& value);
MountPoint mount_point_from_json(const Json& value);
Json to_json(const TopResponse& value);
TopResponse top_response_from_json(const Json& value);
Json to_json(const WaitResult& value);
WaitResult wait_result_from_json(const Json& value);
Json to_json(const UpdateResponse& value);
Json to_json(const FilesystemChange& value);
FilesystemChange filesystem_change_from_json(const Json& value);
Json to_json(const ContainersPruneReport& value);
ContainersPruneReport containers_prune_report_from_json(const Json& value);

}  // namespace proa::api
