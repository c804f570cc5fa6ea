#include "engine/apparmor.h"

#include "base/error.h"
#include "base/text.h"
#include "base/trace.h"
#include "engine/security_options.h"
#include "os/file.h"
#include "os/process.h"

namespace proa::engine {
namespace {

constexpr std::string_view kDefault = "docker-default";
constexpr std::string_view kUnconfined = "unconfined";
constexpr const char* kParsers[] = {"/sbin/apparmor_parser", "/usr/sbin/apparmor_parser"};

// Capabilities, namespaces, mounts and seccomp decide what a container may do. The profile holds where one of them has
// been opened: no mounts, no foreign processes, and of /proc and /sys only what is the container's own.
constexpr std::string_view kRules = R"(
  file,
  capability,
  network,
  umount,
  deny mount,
  deny network alg,

  signal (receive) peer=unconfined,
  signal (send, receive) peer=docker-default,
  ptrace (read, trace, readby, tracedby) peer=docker-default,

  # Everything in /proc but the processes' own directories and the shared memory limits of the IPC namespace.
  deny /proc/* w,
  deny /proc/[^0-9s]*/** w,
  deny /proc/s[^y]** w,
  deny /proc/sy[^s]** w,
  deny /proc/sys/[^k]** w,
  deny /proc/sys/k[^e]** w,
  deny /proc/sys/kernel/[^s]** w,
  deny /proc/sys/kernel/s[^h]** w,
  deny /proc/sys/kernel/sh[^m]** w,
  deny /proc/{kcore,sysrq-trigger} rwklx,

  # Everything in /sys but the control groups.
  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]** wklx,
  deny /sys/fs/c[^g]** wklx,
  deny /sys/fs/cg[^r]** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
)";

bool kernel_has_it() {
  auto enabled = os::try_read_file("/sys/module/apparmor/parameters/enabled", 64);
  return enabled && enabled->starts_with('Y') && os::exists("/sys/kernel/security/apparmor");
}

// "name (enforce)" lines. Other names may hold spaces and parentheses, ours does not.
bool default_is_loaded() {
  auto profiles = os::try_read_file("/sys/kernel/security/apparmor/profiles").value_or("");
  return cat("\n", profiles).find(cat("\n", kDefault, " (")) != std::string::npos;
}

std::string find_parser() {
  for (const char* path : kParsers) {
    if (os::exists(path)) return path;
  }
  return "";
}

// "docker-default (enforce)" -> "docker-default"
std::string own_label() {
  auto text = os::try_read_file("/proc/self/attr/current", 4096).value_or("");
  return std::string(trim(std::string_view(text).substr(0, text.rfind(" ("))));
}

}  // namespace

std::string default_apparmor_profile(std::string_view own_label, bool has_abi) {
  std::string out = has_abi ? "abi <abi/3.0>,\n" : "";
  out += cat("profile ", kDefault, " flags=(attach_disconnected, mediate_deleted) {", kRules);
  if (!own_label.empty() && own_label != kUnconfined && own_label != kDefault) {
    out += cat("  signal (receive) peer=", quoted(own_label), ",\n");
  }
  return out + "}\n";
}

AppArmor::AppArmor() : enabled_(kernel_has_it()) {}

std::string AppArmor::profile_of(const api::HostConfig& host) const {
  if (!enabled_) return "";
  auto named = parse_security_options(host.security_opt).apparmor;
  if (!named.empty()) return named;
  return std::string(host.privileged ? kUnconfined : kDefault);
}

std::string AppArmor::prepare(const api::HostConfig& host) const {
  std::string profile = profile_of(host);
  if (profile != kDefault || default_is_loaded()) return profile;
  return load_default() ? profile : "";
}

std::string AppArmor::warning() const {
  if (!enabled_ || default_is_loaded() || !find_parser().empty()) return "";
  return cat("WARNING: AppArmor is enabled, but apparmor_parser is not installed: containers run without the profile ",
             kDefault);
}

bool AppArmor::load_default() const {
  std::lock_guard lock(mutex_);
  if (default_is_loaded()) return true;
  trace::Span span("engine.apparmor_load");
  os::RunOptions options;
  options.spawn.path = find_parser();
  if (options.spawn.path.empty()) return false;
  options.spawn.argv = {"apparmor_parser", "--skip-cache", "--replace"};
  options.input = default_apparmor_profile(own_label(), os::exists("/etc/apparmor.d/abi/3.0"));
  auto result = os::run_program(options);
  if (result.exit.code == 0) return true;
  throw Error(ErrorKind::Internal, cat("AppArmor enabled on system but the ", kDefault,
                                       " profile could not be loaded: ", trim(result.err).substr(0, 2000)));
}

}  // namespace proa::engine
