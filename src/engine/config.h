// What the daemon is told: dockerd's flags and the keys of its daemon.json (engine-api.md, 5.10), under dockerd's
// names.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace proa::engine {

struct Runtime {
  std::string path;  // "" is the runtime library in the shim
  std::vector<std::string> arguments;
};

struct Ulimit {
  std::int64_t soft = 0, hard = 0;
};

struct Config {
  std::string data_root = "/var/lib/proa";
  std::string exec_root = "/run/proa";
  std::string pidfile = "/run/proa.pid";
  std::string config_file = "/etc/proa/daemon.json";
  std::vector<std::string> hosts;  // {}: what systemd passed, else unix:///run/proa.sock
  std::string group = "docker";    // who may use the unix sockets, if there is such a group

  std::string layers;  // --storage-opt proa.layers: "directory", "erofs", or "": what this machine can

  bool debug = false;
  std::string log_level = "info";  // debug, info, warn, error
  std::string log_format = "text";

  std::string bridge = "proa0";  // --bridge-name: the default network's device; --bridge none: no default network
  std::string bip;
  std::vector<std::string> default_address_pools;  // "172.17.0.0/16:24": base and size
  std::vector<std::string> dns, dns_options, dns_search;
  std::string default_host_ip;  // --ip
  std::string host_gateway_ip;
  std::uint32_t mtu = 0;
  bool icc = true, iptables = true, ip_forward = true, ip_masquerade = true;

  std::vector<std::string> registry_mirrors, insecure_registries;
  std::string registry_config_path = "/etc/docker/certs.d";  // <host>/hosts.toml and certificates
  std::string http_proxy, https_proxy, no_proxy;             // "": what the environment says
  int max_concurrent_downloads = 3, max_concurrent_uploads = 5;
  int max_download_attempts = 5;

  std::vector<std::string> labels;
  std::string log_driver = "json-file";
  std::map<std::string, std::string> log_options;
  std::map<std::string, Ulimit> default_ulimits;
  std::string default_runtime = "proa-runtime";
  std::map<std::string, Runtime> runtimes;
  std::string cgroup_parent;
  bool init = false;
  std::string init_path;
  bool no_new_privileges = false;
  std::string seccomp_profile;  // "", "builtin", "unconfined" or a file
  std::int64_t default_shm_size = 64 << 20;
  std::string default_ipc_mode = "private";
  std::string default_cgroupns_mode;  // "" is "host" on cgroup v1 and "private" on v2
  int default_stop_timeout = 10;      // seconds
  int shutdown_timeout = 15;          // seconds

  bool validate_only = false;  // --validate
  bool show_help = false, show_version = false;
};

// The flags, then the file they name (or the default one, if it exists). Throws InvalidArgument with dockerd's texts
// for unknown flags and keys, for what stands in both, and for values that Proa cannot honour.
Config read_config(std::span<const std::string> arguments);

// A file's content applied to `config`; `from_flags` are the keys that the command line has set already.
void apply_config_file(Config& config, const Json& document, std::string_view path,
                       std::span<const std::string> from_flags);

// What a running daemon takes over from settings read anew, as dockerd does: the rest stays.
Config reloaded(const Config& now, const Config& fresh);
// Those settings as the event `reload` shows them.
std::map<std::string, std::string> reloadable_settings(const Config& config);

// --help
std::string config_usage();

}  // namespace proa::engine
