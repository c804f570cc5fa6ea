// The mounts and the resources of a spec.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "engine/security_options.h"
#include "engine/spec_builder.h"

namespace proa::engine {
namespace {

using Options = std::vector<std::string>;

oci::Mount mount(std::string destination, std::string type, std::string source, Options options) {
  oci::Mount out;
  out.destination = std::move(destination);
  out.type = std::move(type);
  out.source = std::move(source);
  out.options = std::move(options);
  return out;
}

std::vector<oci::Mount> default_mounts(const SpecInput& input, bool writable_system) {
  const auto& host_config = input.definition->host_config;
  auto size = host_config.shm_size > 0 ? host_config.shm_size : input.default_shm_size;
  Options readonly = {"nosuid", "noexec", "nodev"};
  if (!writable_system) readonly.push_back("ro");
  Options cgroup = {"nosuid", "noexec", "nodev"};
  if (!writable_system && !parse_security_options(host_config.security_opt).writable_cgroups) cgroup.push_back("ro");
  std::vector<oci::Mount> out = {
      mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
      mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
      mount("/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
      mount("/sys", "sysfs", "sysfs", readonly),
      mount("/sys/fs/cgroup", "cgroup", "cgroup", cgroup),
  };
  // In the host's IPC namespace a new mqueue mount shows the host's queues, also where the host has none mounted.
  out.push_back(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  if (input.ipc_namespace == "host") {
    out.push_back(mount("/dev/shm", "bind", "/dev/shm", {"rbind", "rprivate"}));
  } else if (!input.shm_source.empty()) {
    out.push_back(mount("/dev/shm", "bind", input.shm_source, {"rbind", "rprivate"}));
  } else if (host_config.ipc_mode != "none") {
    out.push_back(mount("/dev/shm", "tmpfs", "shm",
                        {"nosuid", "noexec", "nodev", "mode=1777", cat("size=", std::to_string(size))}));
  }
  return out;
}

oci::Mount tmpfs_mount(const volume::MountPoint& point) {
  Options options = {"noexec", "nosuid", "nodev"};
  auto put = [&](std::string option, std::string_view opposite) {
    std::erase(options, std::string(opposite));
    std::erase(options, option);
    options.push_back(std::move(option));
  };
  if (point.from_mounts) {
    if (point.tmpfs_size > 0) options.push_back(cat("size=", std::to_string(point.tmpfs_size)));
    if (point.tmpfs_mode != 0) {
      std::string octal;
      for (auto mode = point.tmpfs_mode; mode > 0; mode /= 8)
        octal.insert(octal.begin(), static_cast<char>('0' + mode % 8));
      options.push_back("mode=" + octal);
    }
    if (!point.read_write) options.push_back("ro");
  } else {
    for (const auto& option : split(point.tmpfs_options, ',')) {
      if (option.empty()) continue;
      if (option == "exec" || option == "suid" || option == "dev")
        put(option, "no" + option);
      else if (option == "rw")
        put(option, "ro");
      else if (option == "ro")
        put(option, "rw");
      else
        put(option, "");
    }
  }
  return mount(point.destination, "tmpfs", "tmpfs", std::move(options));
}

oci::Mount bind_mount(const SpecInput& input, const volume::MountPoint& point) {
  Options options = {point.non_recursive ? "bind" : "rbind"};
  options.push_back(point.propagation.empty() ? "rprivate" : point.propagation);
  if (!point.read_write) {
    bool deep = !point.read_only_non_recursive && !point.non_recursive && !input.foreign_runtime;
    options.push_back(deep ? "rro" : "ro");
  }
  return mount(point.destination, "bind", point.source, std::move(options));
}

}  // namespace

std::vector<oci::Mount> build_mounts(const SpecInput& input) {
  std::set<std::string> own;
  for (const auto& point : input.mounts) own.insert(point.destination);
  std::vector<oci::Mount> out = default_mounts(input, input.definition->host_config.privileged);
  std::erase_if(out, [&](const oci::Mount& m) {
    // what the user mounts over /dev or /proc takes the place of all below it
    return std::any_of(own.begin(), own.end(), [&](const std::string& path) {
      return m.destination == path ||
             (path != "/" && m.destination.starts_with(path + "/") && (path == "/dev" || path == "/proc"));
    });
  });
  for (const auto& point : input.mounts) {
    out.push_back(point.type == volume::Type::Tmpfs ? tmpfs_mount(point) : bind_mount(input, point));
  }
  // Before the user's own, but inside a mounted /etc: behind it.
  auto file = [&](const char* destination, const std::string& source) {
    if (source.empty() || own.contains(destination)) return;
    bool readonly = input.definition->host_config.readonly_rootfs;
    Options options = {"rbind", "rprivate"};
    if (readonly) options.push_back("ro");
    out.push_back(mount(destination, "bind", source, std::move(options)));
  };
  file("/etc/resolv.conf", input.resolv_conf_path);
  file("/etc/hostname", input.hostname_path);
  file("/etc/hosts", input.hosts_path);
  if (!input.init_path.empty()) out.push_back(mount("/sbin/docker-init", "bind", input.init_path, {"bind", "ro"}));
  return out;
}

oci::Resources build_resources(const api::Resources& given) {
  oci::Resources out;
  oci::MemoryLimits memory;
  bool any = false;
  auto set = [&](auto& target, auto value, bool wanted) {
    if (!wanted) return;
    target = value;
    any = true;
  };
  set(memory.limit, given.memory, given.memory > 0);
  set(memory.reservation, given.memory_reservation, given.memory_reservation > 0);
  std::int64_t swap = given.memory_swap;
  if (given.memory > 0 && swap == 0) swap = given.memory * 2;
  set(memory.swap, swap, swap != 0);
  if (given.memory_swappiness && *given.memory_swappiness >= 0) {
    set(memory.swappiness, static_cast<std::uint64_t>(*given.memory_swappiness), true);
  }
  set(memory.disable_oom_killer, true, given.oom_kill_disable.value_or(false));
  if (any) out.memory = memory;

  oci::CpuLimits cpu;
  any = false;
  set(cpu.shares, static_cast<std::uint64_t>(given.cpu_shares), given.cpu_shares > 0);
  if (given.nano_cpus > 0) {
    constexpr std::int64_t kPeriod = 100'000;
    set(cpu.period, static_cast<std::uint64_t>(kPeriod), true);
    set(cpu.quota, given.nano_cpus * (kPeriod / 1000) / 1'000'000, true);
  }
  set(cpu.period, static_cast<std::uint64_t>(given.cpu_period), given.cpu_period > 0);
  set(cpu.quota, given.cpu_quota, given.cpu_quota != 0);
  set(cpu.realtime_period, static_cast<std::uint64_t>(given.cpu_realtime_period), given.cpu_realtime_period > 0);
  set(cpu.realtime_runtime, given.cpu_realtime_runtime, given.cpu_realtime_runtime > 0);
  set(cpu.cpus, given.cpuset_cpus, !given.cpuset_cpus.empty());
  set(cpu.mems, given.cpuset_mems, !given.cpuset_mems.empty());
  if (any) out.cpu = cpu;

  if (given.pids_limit && *given.pids_limit != 0)
    out.pids = oci::PidsLimits{.limit = std::max<std::int64_t>(*given.pids_limit, -1)};
  return out;
}

}  // namespace proa::engine
