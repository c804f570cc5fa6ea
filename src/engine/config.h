// The daemon's settings: flags and daemon.json under dockerd's names (engine-api 5.10).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace proa::engine {

struct Ulimit {
  std::string name;
  std::int64_t soft = 0, hard = 0;
};
struct AddressPool {
  std::string base;  // "172.17.0.0/12"
  int size = 16;
};
struct RuntimeConfig {
  std::string path;
  std::vector<std::string> args;
};

struct Config {
  std::string data_root = "/var/lib/proa";
  std::string exec_root = "/run/proa";
  std::vector<std::string> hosts;  // unix:///path, tcp://host:port, fd://; empty: unix:///run/proa.sock
  std::string pidfile;             // "": <exec root>/proad.pid
  std::string config_file = "/etc/proa/daemon.json";
  std::string group = "docker";
  bool debug = false;
  std::string log_level = "info", log_format = "text";
  std::vector<std::string> labels;
  int shutdown_timeout = 15;

  // network
  std::string bridge;  // name of the default bridge; "": proa0, "none": no default bridge
  std::string bip, fixed_cidr, default_gateway;
  std::vector<AddressPool> default_address_pools;
  std::vector<std::string> dns, dns_opts, dns_search;
  std::vector<std::string> host_gateway_ips;
  int mtu = 0;      // 0: 1500
  std::string ip;   // default address of published ports
  bool icc = true, iptables = true, ip_forward = true, ip_masq = true;

  // registry
  std::vector<std::string> registry_mirrors, insecure_registries;
  int max_concurrent_downloads = 3, max_concurrent_uploads = 5, max_download_attempts = 5;
  std::string http_proxy, https_proxy, no_proxy;

  // containers
  std::string log_driver = "json-file";
  std::map<std::string, std::string> log_opts;
  std::map<std::string, Ulimit> default_ulimits;
  std::string default_runtime = "proa";
  std::map<std::string, RuntimeConfig> runtimes;
  std::string cgroup_parent;
  bool systemd_cgroup = false;  // exec-opt native.cgroupdriver=systemd
  bool init = false;
  std::string init_path;
  bool live_restore = true;
  bool no_new_privileges = false;
  std::string seccomp_profile;  // "", "builtin", "unconfined" or a path
  std::int64_t default_shm_size = 64 << 20;
  std::string default_ipc_mode = "private";
  std::string default_cgroupns_mode;  // "": private on cgroup v2, host on v1
  int default_stop_timeout = 10;
  std::string shim_path;  // "": proa-shim beside proad (PROA_SHIM in the environment)

  bool validate = false, show_version = false, show_help = false;
};

// argv without the program's name. Reads the config file (the default one may be missing). Throws InvalidArgument with
// dockerd's texts.
Config load_config(const std::vector<std::string>& arguments);

// A daemon.json over `config`; `flags` are the names of those given on the command line.
void apply_config_file(Config& config, const Json& document, std::string_view file_name,
                       const std::vector<std::string>& flags);

std::string config_help();

// What SIGHUP may change while the daemon runs (debug, labels, mirrors, limits), from the config file.
void reload_config(Config& live);

}  // namespace proa::engine
