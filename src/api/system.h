// GET /info and /version (swagger v1.56).
#pragma once

#include "api/containers.h"

namespace proa::api {

struct PluginsInfo {
  Strings volume = {"local"}, network = {"bridge", "host", "null"};
  std::optional<Strings> authorization;
  Strings log = {"json-file", "none"};
};
struct IndexInfo {
  std::string name;
  Strings mirrors;
  bool secure = true, official = false;
};
struct RegistryInfo {
  std::map<std::string, IndexInfo> index_configs;
  Strings insecure_registry_cidrs;
  Strings mirrors;
};
struct RuntimeInfo {
  std::string path;
  Strings runtime_args;
  StringMap status;
};
struct SwarmInfo {
  std::string node_id, node_addr, local_node_state = "inactive";
  bool control_available = false;
  std::string error;
  std::optional<Strings> remote_managers;
};
struct CommitInfo {
  std::string id, expected;
};
struct AddressPool {
  std::string base;
  int size = 0;
};
struct FirewallInfo {
  std::string driver;
  std::vector<Strings> info;
};

struct SystemInfo {
  std::string id;
  int containers = 0, containers_running = 0, containers_paused = 0, containers_stopped = 0, images = 0;
  std::string driver = "overlay2";
  std::vector<Strings> driver_status;  // pairs
  PluginsInfo plugins;
  bool memory_limit = true, swap_limit = true, cpu_cfs_period = true, cpu_cfs_quota = true, cpu_shares = true,
       cpu_set = true;
  bool pids_limit = true, ipv4_forwarding = true, debug = false;
  int nfd = 0;
  bool oom_kill_disable = false;
  int ngoroutines = 0;  // threads
  std::string system_time, logging_driver = "json-file", cgroup_driver = "cgroupfs", cgroup_version;
  int nevents_listener = 0;
  std::string kernel_version, operating_system, os_version, os_type = "linux", architecture;
  std::string index_server_address = "https://index.docker.io/v1/";
  RegistryInfo registry_config;
  int ncpu = 0;
  std::int64_t mem_total = 0;
  std::optional<Strings> generic_resources;
  std::string docker_root_dir, http_proxy, https_proxy, no_proxy, name;
  Strings labels;
  bool experimental_build = false;
  std::string server_version;
  std::map<std::string, RuntimeInfo> runtimes;
  std::string default_runtime;
  SwarmInfo swarm;
  bool live_restore_enabled = true;
  std::string isolation, init_binary;
  CommitInfo containerd_commit, runc_commit, init_commit;
  Strings security_options;
  std::string product_license;
  std::vector<AddressPool> default_address_pools;
  std::optional<FirewallInfo> firewall_backend;
  Strings cdi_spec_dirs;
  std::optional<Strings> discovered_devices;
  Strings warnings;
};

struct VersionComponent {
  std::string name, version;
  StringMap details;
};
struct PlatformName {
  std::string name;
};
struct SystemVersion {
  PlatformName platform;
  std::vector<VersionComponent> components;
  std::string version, api_version, min_api_version, git_commit, go_version, os, arch, kernel_version;
  bool experimental = false;
  std::string build_time;
};
using Version = SystemVersion;

Json to_json(const SystemInfo& value);
SystemInfo system_info_from_json(const Json& value);
Json to_json(const SystemVersion& value);
SystemVersion system_version_from_json(const Json& value);

}  // namespace proa::api
