// proa-runtime spec, features.
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "os/file.h"
#include "runtime/capabilities.h"
#include "runtime/cli.h"
#include "runtime/command_flags.h"
#include "runtime/limits.h"
#include "runtime/mount_plan.h"
#include "runtime/seccomp_arch.h"

namespace proa::runtime {
namespace {

oci::Mount mount(std::string destination, std::string type, std::string source, std::vector<std::string> options) {
  oci::Mount out;
  out.destination = std::move(destination);
  out.type = std::move(type);
  out.source = std::move(source);
  out.options = std::move(options);
  return out;
}

oci::Spec example() {
  oci::Spec spec;
  spec.oci_version = "1.3.0";
  auto& process = spec.process;
  process.terminal = true;
  process.args = {"sh"};
  process.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"};
  process.cwd = "/";
  std::vector<std::string> usual = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
  process.capabilities = oci::Capabilities{usual, usual, {}, usual, {}};
  process.rlimits = {{"RLIMIT_NOFILE", 1024, 1024}};
  process.no_new_privileges = true;
  spec.root = {"rootfs", true};
  spec.hostname = "proa";
  spec.mounts = {
      mount("/proc", "proc", "proc", {}),
      mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
      mount("/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
      mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
      mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
      mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
      mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"})};
  auto& linux = spec.linux;
  for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup"}) linux.namespaces.push_back({type, ""});
  oci::DeviceRule nothing;
  nothing.access = "rwm";
  linux.resources.emplace();
  linux.resources->devices = {nothing};
  linux.masked_paths = {"/proc/acpi",          "/proc/asound",     "/proc/kcore",       "/proc/keys",
                        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
                        "/sys/firmware",       "/proc/scsi"};
  linux.readonly_paths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  return spec;
}

// For an ordinary user: a user namespace of one id, the host's network, nothing that needs a group of control groups.
void make_rootless(oci::Spec& spec) {
  auto& linux = spec.linux;
  std::erase_if(linux.namespaces, [](const oci::Namespace& one) { return one.type == "network"; });
  linux.namespaces.push_back({"user", ""});
  linux.uid_mappings = {{0, ::geteuid(), 1}};
  linux.gid_mappings = {{0, ::getegid(), 1}};
  linux.resources.reset();
  for (auto& one : spec.mounts) {
    std::erase_if(one.options, [](const std::string& option) { return option.starts_with("gid="); });
    if (one.destination != "/sys") continue;
    one.type = "none";
    one.source = "/sys";
    one.options = {"rbind", "nosuid", "noexec", "nodev", "ro"};
  }
}

JsonArray strings(std::initializer_list<std::string_view> list) {
  JsonArray out;
  for (auto text : list) out.push_back(Json(text));
  return out;
}

JsonObject memory_policy_names() {
  JsonArray modes, flags;
  for (auto name : memory_policy_modes()) modes.push_back(Json(name));
  for (auto name : memory_policy_flags()) flags.push_back(Json(name));
  return {{"modes", std::move(modes)}, {"flags", std::move(flags)}};
}

}  // namespace

int command_spec(const GlobalOptions&, Words words) {
  Arguments arguments(kSpecFlags, words, Order::Mixed);
  arguments.expect("spec", 0, 0);
  std::string path = os::path_join(arguments.value("bundle", "."), "config.json");
  if (os::exists(path)) {
    throw Error(ErrorKind::Conflict, "File config.json exists. Remove it first");
  }
  oci::Spec spec = example();
  if (arguments.has("rootless")) make_rootless(spec);
  os::write_file(path, json::pretty(oci::to_json(spec), "\t") + "\n", 0644);
  return 0;
}

int command_features(const GlobalOptions&, Words words) {
  Arguments({}, words).expect("features", 0, 0);
  JsonArray capabilities, mount_options, archs;
  for (const auto& name : all_capability_names()) capabilities.push_back(Json(name));
  for (const auto& name : known_mount_options()) mount_options.push_back(Json(name));
  for (const auto& arch : seccomp::all_archs()) archs.push_back(Json(arch.name));
  auto flags = strings({"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG",
                        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"});
  JsonObject seccomp{{"enabled", true},
                     {"actions", strings({"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
                                          "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE",
                                          "SCMP_ACT_TRAP"})},
                     {"operators", strings({"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT",
                                            "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"})},
                     {"archs", std::move(archs)},
                     {"knownFlags", flags},
                     {"supportedFlags", flags}};
  auto enabled = [](bool value) { return JsonObject{{"enabled", value}}; };
  JsonObject linux{
      {"namespaces", strings({"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"})},
      {"capabilities", std::move(capabilities)},
      {"cgroup", JsonObject{{"v1", true}, {"v2", true}, {"systemd", true}, {"systemdUser", true}, {"rdma", true}}},
      {"seccomp", std::move(seccomp)},
      {"apparmor", enabled(true)},
      {"selinux", enabled(true)},
      {"intelRdt", JsonObject{{"enabled", true}, {"schemata", true}, {"monitoring", true}}},
      {"memoryPolicy", memory_policy_names()},
      {"mountExtensions", JsonObject{{"idmap", enabled(true)}}},
      {"netDevices", enabled(true)}};
  JsonObject out{
      {"ociVersionMin", "1.0.0"},
      {"ociVersionMax", "1.3.0"},
      {"hooks", strings({"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"})},
      {"mountOptions", std::move(mount_options)},
      {"linux", std::move(linux)},
      {"annotations",
       JsonObject{{"org.opencontainers.runc.checkpoint.enabled", "true"}, {"proa.runtime.version", PROA_VERSION}}},
      {"potentiallyUnsafeConfigAnnotations", strings({"org.systemd.property."})}};
  os::write_all(STDOUT_FILENO, json::pretty(out, "    ") + "\n");
  return 0;
}

}  // namespace proa::runtime
