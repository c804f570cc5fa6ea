// The parts of `run` and `create` about limits, health and networks.
#include <algorithm>

#include "base/text.h"
#include "cli/create_options.h"
#include "cli/grammars.h"

namespace proa::cli {

namespace {

[[noreturn]] void bad(std::string message) { throw FlagError{std::move(message)}; }

// --ip, --network-alias and the like speak of the first network.
void add_container_options(const Flags& flags, NetworkAttachment& network) {
  auto one = [&](std::string& place, const char* flag, const char* what) {
    std::string value = flags.text(flag);
    if (value.empty()) return;
    if (!place.empty()) bad(cat("conflicting options: cannot specify both --", flag, " and per-network ", what));
    place = value;
  };
  auto several = [&](std::vector<std::string>& place, const char* flag, const char* what) {
    const std::vector<std::string>& values = flags.list(flag);
    if (values.empty()) return;
    if (!place.empty()) bad(cat("conflicting options: cannot specify both --", flag, " and per-network ", what));
    place = values;
  };
  several(network.aliases, "network-alias", "alias");
  if (!network.aliases.empty() && !is_user_defined(network.target)) {
    bad("network-scoped aliases are only supported for user-defined networks");
  }
  one(network.ip, "ip", "IPv4 address");
  one(network.ip6, "ip6", "IPv6 address");
  one(network.mac_address, "mac-address", "MAC address");
  several(network.link_local_ips, "link-local-ip", "link-local IP addresses");
  if (is_user_defined(network.target)) network.links = flags.list("link");
}

api::EndpointSettings endpoint_of(const NetworkAttachment& network) {
  api::EndpointSettings endpoint;
  if (!network.aliases.empty()) endpoint.aliases = network.aliases;
  if (!network.driver_opts.empty()) endpoint.driver_opts = network.driver_opts;
  if (!network.links.empty()) endpoint.links = network.links;
  endpoint.mac_address = network.mac_address;
  endpoint.gw_priority = network.gw_priority;
  if (!network.ip.empty() || !network.ip6.empty() || !network.link_local_ips.empty()) {
    endpoint.ipam_config = api::EndpointIpamConfig{network.ip, network.ip6, network.link_local_ips};
  }
  return endpoint;
}

}  // namespace

bool is_user_defined(std::string_view network) {
  for (std::string_view name : {"", "default", "bridge", "host", "none"})
    if (network == name) return false;
  return !network.starts_with("container:");
}

void plan_resources(const Flags& flags, api::Resources& resources) {
  resources.cpu_shares = flags.number("cpu-shares");
  resources.memory = flags.number("memory");
  resources.memory_reservation = flags.number("memory-reservation");
  resources.memory_swap = flags.number("memory-swap");
  if (flags.given("cpus")) resources.nano_cpus = parse_cpus(flags.text("cpus"));
  resources.cgroup_parent = flags.text("cgroup-parent");
  resources.cpu_period = flags.number("cpu-period");
  resources.cpu_quota = flags.number("cpu-quota");
  resources.cpu_realtime_period = flags.number("cpu-rt-period");
  resources.cpu_realtime_runtime = flags.number("cpu-rt-runtime");
  resources.cpuset_cpus = flags.text("cpuset-cpus");
  resources.cpuset_mems = flags.text("cpuset-mems");
  resources.blkio_weight = static_cast<std::uint16_t>(flags.number("blkio-weight"));
  for (const std::string& one : flags.list("blkio-weight-device"))
    resources.blkio_weight_device.push_back(parse_weight_device(one));
  for (const std::string& one : flags.list("device-read-bps"))
    resources.blkio_device_read_bps.push_back(parse_throttle(one, true));
  for (const std::string& one : flags.list("device-write-bps"))
    resources.blkio_device_write_bps.push_back(parse_throttle(one, true));
  for (const std::string& one : flags.list("device-read-iops"))
    resources.blkio_device_read_iops.push_back(parse_throttle(one, false));
  for (const std::string& one : flags.list("device-write-iops"))
    resources.blkio_device_write_iops.push_back(parse_throttle(one, false));
  for (const std::string& one : flags.list("device")) resources.devices.push_back(parse_device(one));
  resources.device_cgroup_rules = flags.list("device-cgroup-rule");
  for (const std::string& one : flags.list("ulimit")) resources.ulimits.push_back(parse_ulimit(one));
  std::sort(resources.ulimits.begin(), resources.ulimits.end(),
            [](const api::Ulimit& a, const api::Ulimit& b) { return a.name < b.name; });
  if (flags.given("memory-swappiness")) {
    std::int64_t value = flags.number("memory-swappiness");
    if (value != -1 && (value < 0 || value > 100))
      bad(cat("invalid value: ", value, ". Valid memory swappiness range is 0-100"));
    if (value != -1) resources.memory_swappiness = value;
  }
  if (flags.given("oom-kill-disable")) resources.oom_kill_disable = flags.on("oom-kill-disable");
  if (flags.given("pids-limit")) resources.pids_limit = flags.number("pids-limit");
  resources.cpu_count = flags.number("cpu-count");
  resources.cpu_percent = flags.number("cpu-percent");
  resources.io_maximum_bandwidth = flags.number("io-maxbandwidth");
  resources.io_maximum_iops = static_cast<std::uint64_t>(flags.number("io-maxiops"));
}

std::optional<api::HealthConfig> plan_health(const Flags& flags) {
  bool any = false;
  for (const char* name : {"health-cmd", "health-interval", "health-retries", "health-start-interval",
                           "health-start-period", "health-timeout"}) {
    any = any || flags.given(name);
  }
  if (flags.on("no-healthcheck")) {
    if (any) bad("--no-healthcheck conflicts with --health-* options");
    api::HealthConfig none;
    none.test = {"NONE"};
    return none;
  }
  if (!any) return std::nullopt;
  api::HealthConfig health;
  if (std::string command = flags.text("health-cmd"); !command.empty()) health.test = {"CMD-SHELL", command};
  auto duration = [&](const char* name) {
    std::int64_t value = flags.number(name);
    if (value < 0) bad(cat("--", name, " cannot be negative"));
    return value;
  };
  health.interval = duration("health-interval");
  health.timeout = duration("health-timeout");
  health.start_period = duration("health-start-period");
  health.start_interval = duration("health-start-interval");
  health.retries = static_cast<int>(duration("health-retries"));
  return health;
}

api::NetworkingConfig plan_networks(const Flags& flags, std::string& network_mode) {
  api::NetworkingConfig networking;
  std::vector<NetworkAttachment> networks;
  for (const std::string& one : flags.list("network")) networks.push_back(parse_network(one));
  if (networks.empty())
    networks.push_back({.target = "default",
                        .aliases = {},
                        .link_local_ips = {},
                        .ip = {},
                        .ip6 = {},
                        .mac_address = {},
                        .driver_opts = {}});
  add_container_options(flags, networks[0]);
  network_mode = networks[0].target;
  for (NetworkAttachment& network : networks) {
    if (network.target.empty()) bad("no name set for network");
    if (networking.endpoints_config.contains(network.target))
      bad(cat("network ", quoted(network.target), " is specified multiple times"));
    networking.endpoints_config[network.target] = endpoint_of(network);
  }
  if (networks.size() > 1) {
    for (const NetworkAttachment& network : networks) {
      if (!is_user_defined(network.target)) {
        bad(cat("conflicting options: cannot attach both user-defined and non-user-defined network-modes"));
      }
    }
  }
  return networking;
}

}  // namespace proa::cli
