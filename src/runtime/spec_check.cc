#include "runtime/spec_check.h"

#include <sched.h>
#include <unistd.h>

#include <set>

#include "base/text.h"
#include "os/rooted_dir.h"
#include "runtime/devices.h"
#include "runtime/labels.h"
#include "runtime/limits.h"
#include "runtime/mount_plan.h"
#include "runtime/namespaces.h"
#include "runtime/net_devices.h"
#include "runtime/resctrl.h"

namespace proa::runtime {
namespace {

[[noreturn]] void refuse(std::string message) { throw Error(ErrorKind::InvalidArgument, std::move(message)); }

bool has_nul(const std::string& text) { return text.find('\0') != std::string::npos; }

void check_names(const oci::Spec& spec, const NamespacePlan& namespaces) {
  if ((!spec.hostname.empty() || !spec.domainname.empty()) && !namespaces.own(CLONE_NEWUTS)) {
    refuse("unable to set hostname without a private UTS namespace");
  }
  if (spec.hostname.size() > 64 || spec.domainname.size() > 64) refuse("a host or domain name is longer than 64 bytes");
}

void check_hooks(const oci::Hooks& hooks) {
  for (const auto* list : {&hooks.prestart, &hooks.create_runtime, &hooks.create_container, &hooks.start_container,
                           &hooks.poststart, &hooks.poststop}) {
    for (const auto& hook : *list) {
      if (!hook.path.starts_with('/')) refuse(cat("hook ", quoted(hook.path), ": the path is not absolute"));
      if (hook.timeout && *hook.timeout <= 0) refuse(cat("hook ", hook.path, ": the timeout is not above zero"));
    }
  }
}

void check_errno(std::string_view action, const std::optional<std::uint32_t>& number) {
  if (number && action != "SCMP_ACT_ERRNO" && action != "SCMP_ACT_TRACE") {
    refuse(cat("seccomp: action ", quoted(action), " has no errno"));
  }
}

void check_seccomp(const oci::Seccomp& seccomp) {
  check_errno(seccomp.default_action, seccomp.default_errno_ret);
  for (const auto& rule : seccomp.syscalls) check_errno(rule.action, rule.errno_ret);
}

void check_environment(const std::vector<std::string>& env) {
  for (const auto& entry : env) {
    if (auto sign = entry.find('='); sign == 0 || sign == std::string::npos) {
      refuse(cat("invalid environment variable: ", quoted(entry)));
    }
  }
}

void check_rlimits(const std::vector<oci::Rlimit>& rlimits) {
  std::set<std::string_view> seen;
  for (const auto& rlimit : rlimits) {
    rlimit_number(rlimit.type);
    if (rlimit.soft > rlimit.hard) refuse(cat(rlimit.type, ": the soft limit is above the hard one"));
    if (!seen.insert(rlimit.type).second) refuse(cat(rlimit.type, " is given twice"));
  }
}

void check_linux(const oci::Linux& linux, const NamespacePlan& namespaces) {
  if (linux.intel_rdt) check_intel_rdt(*linux.intel_rdt);
  if (!linux.net_devices.empty() && !namespaces.own(CLONE_NEWNET)) {
    refuse("unable to move network devices without a private NET namespace");
  }
  check_net_devices(linux);
  if (linux.seccomp) check_seccomp(*linux.seccomp);
  if (linux.personality) check_personality(*linux.personality);
  if (linux.memory_policy) check_memory_policy(*linux.memory_policy);
  if (!linux.time_offsets.empty() && !namespaces.is_new(CLONE_NEWTIME)) {
    refuse("time namespace offsets specified, but time namespace isn't enabled in the config");
  }
  for (const auto& [clock, offset] : linux.time_offsets) {
    if (clock != "monotonic" && clock != "boottime") refuse(cat("time namespace offset of ", quoted(clock)));
  }
  check_mount_label(linux.mount_label);
  if (!namespaces.own(CLONE_NEWNS)) refuse("a container needs a mount namespace of its own");
  bool user = namespaces.is_new(CLONE_NEWUSER);
  if (::geteuid() != 0 && !namespaces.own(CLONE_NEWUSER)) refuse("rootless container requires user namespaces");
  if (user && (linux.uid_mappings.empty() || linux.gid_mappings.empty())) {
    refuse("user namespaces enabled, but no uid or gid mappings found");
  }
  if (!namespaces.own(CLONE_NEWUSER) && (!linux.uid_mappings.empty() || !linux.gid_mappings.empty())) {
    refuse("user namespace mappings specified, but user namespace isn't enabled in the config");
  }
  rootfs_propagation(linux.rootfs_propagation);
  for (const auto& device : linux.devices) in_context(cat("device ", device.path), [&] { return device_type(device); });
  for (const auto& [key, value] : linux.sysctl) plan_sysctl(key, namespaces);
  for (const auto* list : {&linux.masked_paths, &linux.readonly_paths}) {
    for (const auto& path : *list) {
      if (!path.starts_with('/') || has_nul(path))
        refuse(cat("masked or read-only path ", quoted(path), " is not absolute"));
    }
  }
}

}  // namespace

void check_process(const oci::Process& process) {
  if (process.args.empty()) refuse("process.args: no command to run");
  if (!process.cwd.starts_with('/')) refuse(cat("Cwd must be an absolute path, not ", quoted(process.cwd)));
  for (const auto* list : {&process.args, &process.env}) {
    for (const auto& text : *list) {
      if (has_nul(text)) refuse("an argument or environment variable contains a zero byte");
    }
  }
  check_environment(process.env);
  check_rlimits(process.rlimits);
  if (process.oom_score_adj && (*process.oom_score_adj < -1000 || *process.oom_score_adj > 1000)) {
    refuse("oomScoreAdj must be between -1000 and 1000");
  }
  check_scheduling(process);
  check_process_label(process.selinux_label);
  constexpr std::uint32_t kNoId = UINT32_MAX;
  if (process.user.uid == kNoId || process.user.gid == kNoId) refuse("a user or group id is out of range");
}

void check_spec(const oci::Spec& spec, bool detached_root) {
  if (!spec.oci_version.starts_with("1.")) refuse(cat("ociVersion ", quoted(spec.oci_version), " is not supported"));
  if (!detached_root && spec.root.path.empty()) refuse("root.path is empty");
  check_process(spec.process);
  auto namespaces = plan_namespaces(spec.linux);
  check_names(spec, namespaces);
  check_linux(spec.linux, namespaces);
  if (spec.hooks) check_hooks(*spec.hooks);
}

void check_container_id(std::string_view id) {
  if (id.empty() || id == "." || id == ".." || id.size() > 1024) refuse("container ID is empty or cannot be");
  for (char c : id) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
                 c == '-' || c == '.';
    if (!plain) refuse(cat("invalid container ID format: ", quoted(id)));
  }
}

}  // namespace proa::runtime
