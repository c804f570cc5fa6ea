#include "engine/checks.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/time.h"
#include "base/units.h"
#include "engine/capability_set.h"
#include "engine/security_options.h"
#include "os/host_info.h"
#include "os/ip_address.h"
#include "os/process.h"

namespace proa::engine {
namespace {

constexpr std::int64_t kLeastMemory = 6 << 20;
constexpr unsigned kLastCpu = 8192;

[[noreturn]] void refuse(std::string message) { throw Error(ErrorKind::InvalidArgument, std::move(message)); }

bool is_container_mode(std::string_view mode) { return mode.starts_with("container:"); }

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// "0-3,8" as the kernel writes it.
std::string ranges_of(const std::vector<int>& sorted) {
  std::string out;
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t last = i;
    while (last + 1 < sorted.size() && sorted[last + 1] == sorted[last] + 1) ++last;
    if (i > 0) out += ',';
    out += std::to_string(sorted[i]);
    if (last > i) out += cat("-", std::to_string(sorted[last]));
    i = last + 1;
  }
  return out;
}

void check_cpu_list(const std::string& text, std::string_view what, const std::vector<int>& available) {
  if (text.empty()) return;
  for (const auto& part : split(text, ',')) {
    auto [low, high] = cut(part, '-');
    auto first = parse_int<unsigned>(low);
    auto last = high ? parse_int<unsigned>(*high) : first;
    auto invalid = [&](std::string_view why) { refuse(cat("Invalid value ", text, " for cpuset ", what, ": ", why)); };
    if (part.find_first_not_of("0123456789-") != std::string::npos || low.empty() || (high && high->empty()))
      invalid(cat("invalid format: ", part));
    if (!first || !last || *last > kLastCpu) invalid("value of out range, maximum is 8192");
    if (*last < *first) invalid(cat("invalid format: ", part));
    for (unsigned i = *first; i <= *last; ++i) {
      if (std::find(available.begin(), available.end(), static_cast<int>(i)) != available.end()) continue;
      bool cpus = what == "cpus";
      refuse(cat("Requested ", cpus ? "CPUs" : "memory nodes", " are not available - requested ", text,
                 ", available: ", ranges_of(available)));
    }
  }
}

void check_memory(const api::Resources& r) {
  if (r.memory < 0) refuse("Minimum memory limit allowed is 6MB");
  if (r.memory > 0 && r.memory < kLeastMemory) refuse("Minimum memory limit allowed is 6MB");
  if (r.memory > 0 && r.memory_swap > 0 && r.memory_swap < r.memory) {
    refuse("Minimum memoryswap limit should be larger than memory limit, see usage");
  }
  if (r.memory == 0 && r.memory_swap > 0)
    refuse("You should always set the Memory limit when using Memoryswap limit, see usage");
  if (r.memory_swap < -1) refuse("Minimum memoryswap limit should be larger than memory limit, see usage");
  if (r.memory_swappiness && (*r.memory_swappiness < -1 || *r.memory_swappiness > 100)) {
    refuse(cat("Invalid value: ", std::to_string(*r.memory_swappiness), ", valid memory swappiness range is 0-100"));
  }
  if (r.memory_reservation != 0 && r.memory_reservation < kLeastMemory)
    refuse("Minimum memory reservation allowed is 6MB");
  if (r.memory > 0 && r.memory_reservation > r.memory) {
    refuse("Minimum memory limit can not be less than memory reservation limit, see usage");
  }
}

void check_device_rules(const std::vector<std::string>& rules) {
  for (const auto& rule : rules) {
    auto parts = split(rule, ' ');
    auto number = [](std::string_view text) { return text == "*" || parse_int<unsigned>(text).has_value(); };
    bool good = parts.size() == 3 && (parts[0] == "a" || parts[0] == "b" || parts[0] == "c") && !parts[2].empty() &&
                parts[2].size() <= 3 && parts[2].find_first_not_of("rwm") == std::string::npos;
    if (good) {
      auto [major, minor] = cut(parts[1], ':');
      good = minor && number(major) && number(*minor);
    }
    if (!good) refuse(cat("invalid device cgroup rule format: '", rule, "'"));
  }
}

void check_host(const api::HostConfig& host) {
  if (host.shm_size < 0) refuse("SHM size can not be less than 0");
  if (host.oom_score_adj < -1000 || host.oom_score_adj > 1000) {
    refuse(cat("Invalid value ", std::to_string(host.oom_score_adj), ", range for oom score adj is [-1000, 1000]"));
  }
  auto mode = [](const std::string& value, std::string_view what, std::initializer_list<std::string_view> known) {
    if (value.empty() || std::find(known.begin(), known.end(), value) != known.end()) return;
    if ((what == "IPC" || what == "PID") && is_container_mode(value) && value.size() > 10) return;
    refuse(cat("invalid ", what, " mode: ", value));
  };
  mode(host.ipc_mode, "IPC", {"private", "host", "none", "shareable"});
  mode(host.pid_mode, "PID", {"host", "private"});
  mode(host.uts_mode, "UTS", {"host", "private"});
  mode(host.cgroupns_mode, "cgroup namespace", {"host", "private"});
  if (host.userns_mode != "" && host.userns_mode != "host") refuse(cat("invalid userns mode: ", host.userns_mode));
  if (!host.isolation.empty() && host.isolation != "default") {
    refuse(cat("invalid isolation '", host.isolation, "' on linux"));
  }
  check_device_rules(host.device_cgroup_rules);
  parse_security_options(host.security_opt);
  container_capabilities(host.cap_add, host.cap_drop, host.privileged, 63);
  for (const auto& ulimit : host.ulimits) {
    static constexpr std::array<std::string_view, 15> kKnown = {"as",    "core",    "cpu",      "data",       "fsize",
                                                                "locks", "memlock", "msgqueue", "nice",       "nofile",
                                                                "nproc", "rss",     "rtprio",   "sigpending", "stack"};
    if (ulimit.name != "rttime" && std::find(kKnown.begin(), kKnown.end(), ulimit.name) == kKnown.end()) {
      refuse(cat("invalid ulimit type: ", ulimit.name));
    }
    if (ulimit.hard != -1 && (ulimit.soft > ulimit.hard || ulimit.soft == -1)) {
      refuse(cat("ulimit soft limit must be less than or equal to hard limit: ", std::to_string(ulimit.soft), " > ",
                 std::to_string(ulimit.hard)));
    }
  }
  for (const auto& entry : host.extra_hosts) {
    auto [name, address] = cut(entry, ':');
    if (name.empty() || !address || address->empty() || has_control(entry))
      refuse(cat("bad format for add-host: ", quoted(entry)));
    std::string_view bare = *address;
    if (bare.size() > 2 && bare.front() == '[' && bare.back() == ']') bare = bare.substr(1, bare.size() - 2);
    if (bare != "host-gateway" && !os::IpAddress::parse(bare))
      refuse(cat("invalid IP address in add-host: ", quoted(*address)));
  }
  for (const auto& [key, value] : host.sysctls) {
    if (key.empty() || has_control(key) || has_control(value)) refuse(cat("invalid sysctl ", quoted(key)));
  }
  if (host.umask && *host.umask > 0777) refuse(cat("invalid umask ", *host.umask, ": it is not in the range 0 to 511"));
  if (!host.storage_opt.empty())
    refuse("--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
  if (!host.device_requests.empty()) {
    refuse("could not select device driver \"\" with capabilities: [[gpu]]");
  }
}

void check_log(const api::LogConfig& log, const std::string& default_driver) {
  const std::string& driver = log.type.empty() ? default_driver : log.type;
  if (driver == "none") return;
  if (driver != "json-file" && driver != "local")
    refuse(cat("error looking up logging plugin ", driver, ": plugin ", quoted(driver), " not found"));
  for (const auto& [key, value] : log.config) {
    static constexpr std::array<std::string_view, 10> kKnown = {
        "max-size", "max-file",  "compress", "labels", "labels-regex",
        "env",      "env-regex", "tag",      "mode",   "max-buffer-size"};
    if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end()) {
      refuse(cat("unknown log opt '", key, "' for ", driver, " log driver"));
    }
    if (key == "max-size" && value != "-1" && !parse_ram_bytes(value)) refuse(cat("invalid size: '", value, "'"));
    if (key == "max-file") {
      auto count = parse_int<int>(value);
      if (!count || *count < 1) refuse("max-file cannot be less than 1");
    }
  }
}

void check_network(const api::ContainerCreateRequest& request) {
  const auto& config = request.config;
  const auto& host = request.host_config;
  if (is_container_mode(host.network_mode)) {
    if (host.network_mode.size() == 10) refuse("invalid network mode: invalid container format container:<name|id>");
    if (!config.hostname.empty()) refuse("conflicting options: hostname and the network mode");
    if (!host.links.empty())
      refuse(
          "conflicting options: container type network can't be used with links. This would result in undefined "
          "behavior");
    if (!host.dns.empty()) refuse("conflicting options: dns and the network mode");
    if (!host.extra_hosts.empty()) refuse("conflicting options: custom host-to-IP mapping and the network mode");
    if (!config.mac_address.empty()) refuse("conflicting options: mac-address and the network mode");
    if (!host.port_bindings.empty() || host.publish_all_ports)
      refuse("conflicting options: port publishing and the container type network mode");
    if (!config.exposed_ports.empty()) refuse("conflicting options: port exposing and the container type network mode");
  }
  if (host.network_mode == "host") {
    if (!host.links.empty())
      refuse(
          "conflicting options: host type networking can't be used with links. This would result in undefined "
          "behavior");
  }
  if (!config.mac_address.empty() && !os::parse_mac(config.mac_address)) {
    std::string name = host.network_mode.empty() || host.network_mode == "default" ? "bridge" : host.network_mode;
    refuse(cat("invalid config for network ", name, ": invalid MAC address ", config.mac_address));
  }
  if (host.uts_mode == "host" && !config.hostname.empty()) refuse("conflicting options: hostname and the UTS mode");
}

void check_config(const api::ContainerConfig& config) {
  if (!config.working_dir.empty() && !config.working_dir.starts_with('/')) {
    refuse(cat("the working directory '", config.working_dir, "' is invalid, it needs to be an absolute path"));
  }
  for (const auto& entry : config.env) {
    if (entry.empty() || entry.front() == '=') refuse(cat("invalid environment variable: ", entry));
    if (entry.find('\0') != std::string::npos) refuse("invalid environment variable: it contains a zero byte");
  }
  if (config.hostname.size() > 63 || has_control(config.hostname) || config.hostname.find('/') != std::string::npos ||
      config.hostname.find(' ') != std::string::npos) {
    refuse(cat("invalid hostname format: ", config.hostname));
  }
  if (!config.stop_signal.empty() && !os::parse_signal(config.stop_signal))
    refuse(cat("invalid signal: ", config.stop_signal));
  if (config.healthcheck) {
    auto duration = [](std::int64_t value, std::string_view what) {
      if (value != 0 && value < kMillisecond) refuse(cat(what, " in Healthcheck cannot be less than 1ms"));
    };
    duration(config.healthcheck->interval, "Interval");
    duration(config.healthcheck->timeout, "Timeout");
    duration(config.healthcheck->start_period, "StartPeriod");
    duration(config.healthcheck->start_interval, "StartInterval");
    if (config.healthcheck->retries < 0) refuse("Retries in Healthcheck cannot be negative");
  }
}

}  // namespace

void check_restart_policy(const api::RestartPolicy& policy, bool auto_remove) {
  const auto& name = policy.name;
  if (!name.empty() && name != "no" && name != "always" && name != "unless-stopped" && name != "on-failure") {
    refuse(cat("invalid restart policy: unknown policy '", name,
               "'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"));
  }
  if (name != "on-failure" && policy.maximum_retry_count != 0) {
    refuse("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (policy.maximum_retry_count < 0) refuse("invalid restart policy: maximum retry count cannot be negative");
  if (auto_remove && !name.empty() && name != "no") refuse("can't create 'AutoRemove' container with restart policy");
}

void check_resources(const api::Resources& r, const HostFacts& host) {
  check_memory(r);
  if (r.nano_cpus > 0 && r.cpu_period > 0) refuse("Conflicting options: Nano CPUs and CPU Period cannot both be set");
  if (r.nano_cpus > 0 && r.cpu_quota > 0) refuse("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  if (r.nano_cpus < 0 || r.nano_cpus > static_cast<std::int64_t>(host.cpus) * 1'000'000'000) {
    auto count = std::to_string(host.cpus);
    refuse(cat("range of CPUs is from 0.01 to ", count, ".00, as there are only ", count, " CPUs available"));
  }
  if (r.cpu_shares < 0)
    refuse(cat("invalid CPU shares (", std::to_string(r.cpu_shares), "): value must be a positive integer"));
  if (r.cpu_period != 0 && (r.cpu_period < 1000 || r.cpu_period > 1'000'000)) {
    refuse("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  }
  if (r.cpu_quota > 0 && r.cpu_quota < 1000) refuse("CPU cfs quota can not be less than 1ms (i.e. 1000)");
  check_cpu_list(r.cpuset_cpus, "cpus", host.cpu_list);
  check_cpu_list(r.cpuset_mems, "mems", host.memory_nodes);
  if (r.blkio_weight > 0 && (r.blkio_weight < 10 || r.blkio_weight > 1000))
    refuse("Range of blkio weight is from 10 to 1000");
}

std::vector<std::string> check_create(const api::ContainerCreateRequest& request, const HostFacts& host,
                                      const CreateSettings& settings) {
  std::vector<std::string> warnings;
  check_config(request.config);
  check_host(request.host_config);
  check_network(request);
  check_log(request.host_config.log_config, settings.log_driver);
  check_restart_policy(request.host_config.restart_policy, request.host_config.auto_remove);
  check_resources(request.host_config, host);
  const auto& runtime = request.host_config.runtime;
  const auto& runtimes = settings.runtimes;
  if (!runtime.empty() && std::find(runtimes.begin(), runtimes.end(), runtime) == runtimes.end()) {
    refuse(cat("unknown or invalid runtime name: ", runtime));
  }
  if (request.host_config.oom_kill_disable.value_or(false) && request.host_config.memory == 0) {
    warnings.push_back(
        "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running "
        "out of resources.");
  }
  if (request.host_config.network_mode == "host" && !request.host_config.port_bindings.empty()) {
    warnings.push_back("Published ports are discarded when using host network mode");
  }
  return warnings;
}

}  // namespace proa::engine
