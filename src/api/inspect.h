// GET /containers/{id}/json and /exec/{id}/json, and the exec requests (swagger v1.56).
#pragma once

#include "api/containers.h"

namespace proa::api {

struct HealthLogEntry {
  std::string start, end;
  int exit_code = 0;
  std::string output;
};
struct Health {
  std::string status;  // none, starting, healthy, unhealthy
  int failing_streak = 0;
  std::vector<HealthLogEntry> log;
};

struct ContainerState {
  std::string status;  // created running paused restarting removing exited dead
  bool running = false, paused = false, restarting = false, oom_killed = false, dead = false;
  std::int64_t pid = 0;
  int exit_code = 0;
  std::string error;
  std::string started_at = "0001-01-01T00:00:00Z", finished_at = "0001-01-01T00:00:00Z";
  std::optional<Health> health;
};

struct Address {
  std::string addr;
  int prefix_len = 0;
};
struct NetworkSettings {
  std::string bridge, sandbox_id, sandbox_key;
  PortMap ports;
  bool hairpin_mode = false;
  std::string link_local_ipv6_address;
  int link_local_ipv6_prefix_len = 0;
  std::optional<std::vector<Address>> secondary_ip_addresses, secondary_ipv6_addresses;
  std::string endpoint_id, gateway, global_ipv6_address;
  int global_ipv6_prefix_len = 0;
  std::string ip_address;
  int ip_prefix_len = 0;
  std::string ipv6_gateway, mac_address;
  std::map<std::string, EndpointSettings> networks;
};

struct ContainerInspect {
  std::string id, created, path;
  Strings args;
  ContainerState state;
  std::string image, resolv_conf_path, hostname_path, hosts_path, log_path, name;
  int restart_count = 0;
  std::string driver, platform, mount_label, process_label, app_armor_profile;
  std::optional<Strings> exec_ids;
  HostConfig host_config;
  GraphDriver graph_driver;
  std::optional<std::int64_t> size_rw, size_root_fs;
  std::vector<MountPoint> mounts;
  ContainerConfig config;
  NetworkSettings network_settings;
};

struct ExecConfig {
  std::string user;
  bool privileged = false, tty = false;
  std::optional<std::vector<std::uint32_t>> console_size;  // height, width
  bool attach_stdin = false, attach_stderr = false, attach_stdout = false, detach = false;
  std::string detach_keys;
  Strings env;
  std::string working_dir;
  Strings cmd;
};
struct ExecCreateResponse {
  std::string id;
};
struct ExecStart {
  bool detach = false, tty = false;
  std::optional<std::vector<std::uint32_t>> console_size;
};
struct ExecProcess {
  bool tty = false;
  std::string entrypoint;
  Strings arguments;
  std::optional<bool> privileged;
  std::string user;
};
struct ExecInspect {
  std::string id;
  bool running = false;
  std::optional<int> exit_code;
  ExecProcess process_config;
  bool open_stdin = false, open_stderr = false, open_stdout = false, can_remove = false;
  std::string container_id, detach_keys;
  std::int64_t pid = 0;
};

Json to_json(const ContainerState& value);
ContainerState container_state_from_json(const Json& value);
Json to_json(const NetworkSettings& value);
Json to_json(const ContainerInspect& value);
ContainerInspect container_inspect_from_json(const Json& value);
Json to_json(const ExecConfig& value);
ExecConfig exec_config_from_json(const Json& value);
Json to_json(const ExecCreateResponse& value);
ExecCreateResponse exec_create_response_from_json(const Json& value);
Json to_json(const ExecStart& value);
ExecStart exec_start_from_json(const Json& value);
Json to_json(const ExecInspect& value);
ExecInspect exec_inspect_from_json(const Json& value);

}  // namespace proa::api
