#include "engine/spec_builder.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "engine/bind_propagation.h"
#include "engine/capability_set.h"
#include "engine/seccomp_profile.h"
#include "engine/security_options.h"

namespace proa::engine {
namespace {

constexpr std::string_view kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

constexpr std::array<std::string_view, 12> kMasked = {"/proc/acpi",
                                                      "/proc/asound",
                                                      "/proc/interrupts",
                                                      "/proc/kcore",
                                                      "/proc/keys",
                                                      "/proc/latency_stats",
                                                      "/proc/sched_debug",
                                                      "/proc/scsi",
                                                      "/proc/timer_list",
                                                      "/proc/timer_stats",
                                                      "/sys/devices/virtual/powercap",
                                                      "/sys/firmware"};
constexpr std::array<std::string_view, 5> kReadonly = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                                       "/proc/sysrq-trigger"};

oci::DeviceRule rule(bool allow, std::string type, std::int64_t major, std::int64_t minor, std::string access) {
  oci::DeviceRule out;
  out.allow = allow;
  out.type = std::move(type);
  if (major >= 0) out.major = major;
  if (minor >= 0) out.minor = minor;
  out.access = std::move(access);
  return out;
}

// Docker's, and those every OCI runtime adds (mknod of anything, full, pts, ptmx).
std::vector<oci::DeviceRule> default_device_rules() {
  std::vector<oci::DeviceRule> out = {rule(false, "a", -1, -1, "rwm")};
  for (auto [major, minor] : {std::pair{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}}) {
    out.push_back(rule(true, "c", major, minor, "rwm"));
  }
  out.push_back(rule(true, "c", 136, -1, "rwm"));
  out.push_back(rule(false, "c", 10, 229, "rwm"));
  // Last: runc refuses to take one device out of them again (cgroup v1).
  out.push_back(rule(true, "c", -1, -1, "m"));
  out.push_back(rule(true, "b", -1, -1, "m"));
  return out;
}

void build_process(const SpecInput& input, const SecurityOptions& security, oci::Spec& spec) {
  const auto& definition = *input.definition;
  const auto& host_config = definition.host_config;
  auto& process = spec.process;
  process.terminal = definition.config.tty;
  if (process.terminal && host_config.console_size.size() == 2 && host_config.console_size[0] > 0) {
    process.console_size =
        oci::ConsoleSize{.height = host_config.console_size[0], .width = host_config.console_size[1]};
  }
  process.user.uid = input.user.uid;
  process.user.gid = input.user.gid;
  process.user.additional_gids = input.user.groups;
  process.user.umask = host_config.umask;
  process.env = container_environment(definition, input.user.home, input.link_environment);
  process.cwd = definition.config.working_dir.empty() ? "/" : definition.config.working_dir;
  if (!input.init_path.empty()) process.args = {"/sbin/docker-init", "--"};
  process.args.push_back(definition.path);
  process.args.insert(process.args.end(), definition.args.begin(), definition.args.end());
  auto capabilities = container_capabilities(host_config.cap_add, host_config.cap_drop, host_config.privileged,
                                             input.host->last_capability);
  oci::Capabilities sets;
  sets.bounding = capabilities;
  if (input.user.uid == 0) sets.effective = sets.permitted = capabilities;
  process.capabilities = std::move(sets);
  process.no_new_privileges = security.no_new_privileges.value_or(input.default_no_new_privileges);
  process.apparmor_profile = input.apparmor_profile;
  process.oom_score_adj = host_config.oom_score_adj;
  auto limit = [&](const api::Ulimit& ulimit) {
    std::string type = "RLIMIT_" + to_upper(ulimit.name);
    auto bytes = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };  // -1 is RLIM_INFINITY
    auto it =
        std::find_if(process.rlimits.begin(), process.rlimits.end(), [&](const auto& r) { return r.type == type; });
    if (it == process.rlimits.end()) it = process.rlimits.insert(it, oci::Rlimit{.type = type});
    it->hard = bytes(ulimit.hard);
    it->soft = bytes(ulimit.soft);
  };
  for (const auto& ulimit : input.default_ulimits) limit(ulimit);
  for (const auto& ulimit : host_config.ulimits) limit(ulimit);
}

void build_namespaces(const SpecInput& input, oci::Spec& spec) {
  const auto& host_config = input.definition->host_config;
  auto& list = spec.linux.namespaces;
  auto add = [&](std::string type, const std::string& where) {
    if (where != "host") list.push_back({std::move(type), where});
  };
  add("mount", "");
  add("network", input.network_namespace);
  add("uts", host_config.uts_mode);
  add("pid", input.pid_namespace);
  add("ipc", input.ipc_namespace);
  std::string mode = host_config.cgroupns_mode.empty() ? input.default_cgroupns_mode : host_config.cgroupns_mode;
  if (mode.empty()) mode = input.host->cgroup_unified && !host_config.privileged ? "private" : "host";
  add("cgroup", mode == "host" ? "host" : "");
}

void build_sysctls(const SpecInput& input, oci::Spec& spec) {
  if (input.network_namespace != "host" && !input.definition->host_config.network_mode.starts_with("container:")) {
    spec.linux.sysctl["net.ipv4.ip_unprivileged_port_start"] = "0";
    if (input.host->ping_group_range) spec.linux.sysctl["net.ipv4.ping_group_range"] = "0 2147483647";
  }
  for (const auto& [key, value] : input.definition->host_config.sysctls) spec.linux.sysctl[key] = value;
}

void build_confinement(const SpecInput& input, const SecurityOptions& security, oci::Spec& spec) {
  const auto& host_config = input.definition->host_config;
  auto& linux_part = spec.linux;
  if (!host_config.privileged && !security.unconfined_paths) {
    linux_part.masked_paths = host_config.masked_paths ? *host_config.masked_paths : default_masked_paths(*input.host);
    linux_part.readonly_paths = host_config.readonly_paths ? *host_config.readonly_paths : default_readonly_paths();
  }
  if (host_config.privileged || security.seccomp == "unconfined") return;
  const auto& bounding = spec.process.capabilities->bounding;
  std::set<std::string> capabilities(bounding.begin(), bounding.end());
  linux_part.seccomp = security.seccomp.empty()
                           ? default_seccomp(capabilities, input.host->architecture)
                           : seccomp_from_json(json::parse(security.seccomp), capabilities, input.host->architecture);
}

}  // namespace

std::vector<std::string> merge_environment(std::vector<std::string> base, const std::vector<std::string>& over) {
  for (const auto& entry : over) {
    auto [name, value] = cut(entry, '=');
    auto same = [&](const std::string& other) { return cut(other, '=').first == name; };
    if (!value) {  // a name alone takes the variable away
      std::erase_if(base, same);
      continue;
    }
    auto it = std::find_if(base.begin(), base.end(), same);
    if (it != base.end())
      *it = entry;
    else
      base.push_back(entry);
  }
  return base;
}

std::vector<std::string> container_environment(const Definition& definition, std::string_view home,
                                               std::vector<std::string> of_links) {
  std::vector<std::string> out = {std::string(kPath)};
  if (!definition.config.hostname.empty()) out.push_back("HOSTNAME=" + definition.config.hostname);
  if (definition.config.tty) out.push_back("TERM=xterm");
  out = merge_environment(merge_environment(std::move(out), of_links), definition.config.env);
  if (std::none_of(out.begin(), out.end(), [](const std::string& e) { return e.starts_with("HOME="); })) {
    out.push_back(cat("HOME=", home));
  }
  return out;
}

std::string cgroup_path(const std::string& parent, const std::string& id) {
  std::string base = parent.empty() ? "/proa" : parent;
  if (!base.starts_with('/')) base.insert(0, "/");
  while (base.size() > 1 && base.ends_with('/')) base.pop_back();
  return base == "/" ? base + id : cat(base, "/", id);
}

std::vector<std::string> default_masked_paths(const HostFacts& host) {
  std::vector<std::string> out(kMasked.begin(), kMasked.end());
  out.insert(out.end(), host.masked_extra.begin(), host.masked_extra.end());
  return out;
}

std::vector<std::string> default_readonly_paths() { return {kReadonly.begin(), kReadonly.end()}; }

oci::Spec build_spec(const SpecInput& input) {
  const auto& definition = *input.definition;
  const auto& host_config = definition.host_config;
  auto security = parse_security_options(host_config.security_opt);
  oci::Spec spec;
  spec.oci_version = "1.2.0";
  spec.root.path = "rootfs";
  spec.root.readonly = host_config.readonly_rootfs;
  spec.hostname = input.hostname;
  spec.domainname = definition.config.domainname;
  spec.annotations = host_config.annotations;
  build_process(input, security, spec);
  build_namespaces(input, spec);
  spec.mounts = build_mounts(input);
  spec.linux.rootfs_propagation = root_propagation(input.mounts);
  spec.linux.cgroups_path = cgroup_path(input.cgroup_parent, definition.id);
  spec.linux.devices = input.devices;
  auto resources = build_resources(host_config);
  resources.block_io = input.block_io;
  if (host_config.blkio_weight > 0) resources.block_io->weight = host_config.blkio_weight;
  if (host_config.privileged)
    resources.devices = {rule(true, "a", -1, -1, "rwm")};
  else
    resources.devices = default_device_rules();
  resources.devices.insert(resources.devices.end(), input.device_rules.begin(), input.device_rules.end());
  spec.linux.resources = std::move(resources);
  build_sysctls(input, spec);
  build_confinement(input, security, spec);
  return spec;
}

}  // namespace proa::engine
