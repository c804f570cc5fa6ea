#include "runtime/command_launch.h"

#include <signal.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "os/file.h"
#include "os/process.h"
#include "os/socket.h"
#include "runtime/foreground.h"
#include "runtime/program.h"

namespace proa::runtime {
namespace {

oci::Spec read_spec(const std::string& bundle) {
  std::string path = os::path_join(bundle, "config.json");
  auto text = os::try_read_file(path, 8 << 20);
  if (!text) throw Error(ErrorKind::NotFound, "JSON specification file config.json not found");
  auto spec = in_context(path, [&] { return oci::spec_from_json(json::parse(*text)); });
  drop_overridden(spec.process.env);
  return spec;
}

std::string bundle_of(const Arguments& arguments) {
  std::string bundle = arguments.value("bundle", ".");
  if (bundle.starts_with('/')) return os::clean_path(bundle);
  char here[4096];
  if (!::getcwd(here, sizeof here)) os::fail("getcwd");
  return os::clean_path(cat(here, "/", bundle));
}

}  // namespace

Launch prepare(const GlobalOptions& global, const Arguments& arguments) {
  std::string bundle = bundle_of(arguments);
  oci::Spec spec = read_spec(bundle);
  return {std::move(spec),
          std::move(bundle),
          global.systemd_cgroup,
          global.rootless,
          StateDir(global.root, arguments.operand(0)),
          {}};
}

void warn_all(const std::vector<std::string>& warnings) {
  for (const auto& warning : warnings) log::warn(warning);
}

void write_pid_file(const Arguments& arguments, pid_t pid) {
  if (auto path = arguments.value("pid-file"); !path.empty()) os::replace_file(path, cat(pid), 0644);
}

void remember(Launch& launch, const std::string& id, const Created& created) {
  ContainerState& state = launch.state;
  state.id = id;
  state.bundle = launch.bundle;
  state.rootfs = root_path(launch.spec, launch.bundle);
  state.created = format_rfc3339(now());
  state.pid = created.pid;
  state.start_time = os::start_time_ticks(created.pid).value_or(0);
  state.cgroup = created.cgroup;
  state.spec = launch.spec;
  if (created.filter) {
    launch.dir.save_filter(*created.filter);
    drop_compiled_rules(*state.spec.linux.seccomp);
  }
  launch.dir.save(state);
}

void check_console(const oci::Process& process, const Arguments& arguments, bool detached) {
  bool socket = !arguments.value("console-socket").empty();
  if (detached && process.terminal && !socket) {
    throw Error(ErrorKind::InvalidArgument, "cannot allocate tty if runc will detach without setting console socket");
  }
  if (socket && (!detached || !process.terminal)) {
    throw Error(ErrorKind::InvalidArgument, "cannot use console socket if runc will not detach or allocate tty");
  }
}

void hand_over_pidfd(const Arguments& arguments, const os::Fd& pidfd) {
  if (auto path = arguments.value("pidfd-socket"); !path.empty()) {
    os::send_message(os::connect_unix(path, SOCK_STREAM).get(), "pidfd", {pidfd.get()});
  }
}

void hand_over_console(const Arguments& arguments, os::Fd& console) {
  if (!console || arguments.value("console-socket").empty()) return;
  send_console(arguments.value("console-socket"), console);
  console.reset();
}

void tell_of(Created& created, Launch& launch, const Arguments& arguments) {
  warn_all(created.warnings);
  hand_over_console(arguments, created.console);
  remember(launch, arguments.operand(0), created);
  hand_over_pidfd(arguments, created.pidfd);
  write_pid_file(arguments, created.pid);
}

void undo(const Created& created, const Launch& launch, const std::string& id) noexcept {
  try {
    kill_all(created.cgroup, SIGKILL);
    if (created.pidfd) os::try_signal_pidfd(created.pidfd.get(), SIGKILL);
    destroy_cgroup(created.cgroup);
  } catch (const Error& error) {
    log::warn(error.message());
  }
  run_poststop_hooks(launch.spec, id, launch.bundle);
}

}  // namespace proa::runtime
