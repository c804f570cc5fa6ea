// proa-runtime create, start, run, exec.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/json.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/text.h"
#include "base/time.h"
#include "os/file.h"
#include "os/process.h"
#include "os/socket.h"
#include "os/user_db.h"
#include "runtime/capabilities.h"
#include "runtime/cli.h"
#include "runtime/command_flags.h"
#include "runtime/command_launch.h"
#include "runtime/foreground.h"
#include "runtime/notify_proxy.h"
#include "runtime/program.h"
#include "runtime/state_dir.h"
#include "runtime/verbs.h"

namespace proa::runtime {
namespace {

// From 3 on: what systemd has opened for us, then what --preserve-fds counts. All of it the caller must have opened:
// in a number that was free we may have something of our own by now.
std::vector<int> preserved(const GlobalOptions& global, const Arguments& arguments, std::int64_t sockets = 0) {
  std::vector<int> fds;
  std::int64_t count = arguments.number("preserve-fds").value_or(0);
  for (std::int64_t i = 0; i < sockets + count; ++i) {
    if (i >= global.given_fds) {
      throw Error(ErrorKind::InvalidArgument, cat("unable to stat preserved-fd ", i - sockets, " (of ", count,
                                                  "): stat /proc/self/fd/", 3 + i, ": no such file or directory"));
    }
    fds.push_back(static_cast<int>(3 + i));
  }
  return fds;
}

// sd_listen_fds(3): how many sockets systemd has opened for this very process.
std::int64_t sockets_of_systemd() {
  const char *pid = ::getenv("LISTEN_PID"), *count = ::getenv("LISTEN_FDS");
  if (!pid || !count || parse_int<pid_t>(pid) != ::getpid()) return 0;
  constexpr std::int64_t kMost = 1024;
  return std::clamp<std::int64_t>(parse_int<std::int64_t>(count).value_or(0), 0, kMost);
}

template <class F>
auto starting(F&& f) {
  return in_context("unable to start container process", std::forward<F>(f));
}

// What systemd gives a service that is a container: its sockets, and somebody who waits to hear that it is ready.
std::optional<NotifyProxy> take_from_systemd(const GlobalOptions& global, Launch& launch, CreateOptions& options,
                                             const Arguments& arguments) {
  auto& env = launch.spec.process.env;
  if (auto sockets = sockets_of_systemd()) {
    options.keep_fds = preserved(global, arguments, sockets);
    set_variable(env, "LISTEN_FDS", cat(sockets));
    set_variable(env, "LISTEN_PID", "1");
  }
  auto notify = NotifyProxy::of_environment(launch.dir.path());
  if (notify) notify->add_to(launch.spec);
  return notify;
}

CreateOptions create_options(const GlobalOptions& global, const Launch& launch, const Arguments& arguments) {
  CreateOptions options;
  options.id = arguments.operand(0);
  options.bundle = launch.bundle;
  options.systemd_cgroup = launch.systemd_cgroup;
  options.rootless = launch.rootless;
  options.keep_fds = preserved(global, arguments);
  options.no_pivot = arguments.has("no-pivot");
  options.no_new_keyring = arguments.has("no-new-keyring");
  return options;
}

void poststart(const ContainerState& state) {
  if (!state.spec.hooks) return;
  run_hooks(state.spec.hooks->poststart, state_document(state.spec, state.id, "running", state.pid, state.bundle));
}

// The specification's lifecycle: a poststart hook that fails is the container's end.
void poststart_or_end(StateDir& dir, const ContainerState& state) {
  try {
    poststart(state);
  } catch (const Error&) {
    end(state);
    remove_container(dir, state);
    throw;
  }
}

}  // namespace

int command_create(const GlobalOptions& global, Words words) {
  Arguments arguments(kCreateFlags, words);
  arguments.expect("create", 1, 1);
  Launch launch = prepare(global, arguments);
  check_console(launch.spec.process, arguments, true);
  launch.dir.reserve();
  Created created;
  Rollback rollback;
  rollback.add([&] { launch.dir.remove(); });
  CreateOptions options = create_options(global, launch, arguments);
  options.gate_path = launch.dir.gate_path();
  take_from_systemd(global, launch, options, arguments);
  created = starting([&] { return create(launch.spec, std::move(options)); });
  rollback.add([&] { undo(created, launch, arguments.operand(0)); });
  tell_of(created, launch, arguments);
  rollback.commit();
  return 0;
}

int command_start(const GlobalOptions& global, Words words) {
  Arguments arguments({}, words);
  arguments.expect("start", 1, 1);
  StateDir dir(global.root, arguments.operand(0));
  ContainerState state = dir.load();
  std::string status = status_of(state, dir);
  if (status == "stopped") throw Error(ErrorKind::Conflict, "cannot start a container that has stopped");
  if (status == "running") throw Error(ErrorKind::Conflict, "cannot start an already running container");
  if (status != "created") throw Error(ErrorKind::Conflict, cat("cannot start a container in the ", status, " state"));
  auto supervisor = supervisor_of(state.spec, state.id, state.bundle, state.pid);
  auto notify = NotifyProxy::of_environment(dir.path());
  auto pidfd = notify ? os::try_open_pidfd(state.pid) : std::nullopt;
  if (pidfd) notify->listen();
  starting([&] { start_remote(dir.gate_path(), supervisor); });
  os::remove_file(dir.gate_path());
  poststart_or_end(dir, state);
  if (pidfd) notify->wait(pidfd->get(), state.pid);
  return 0;
}

int command_run(const GlobalOptions& global, Words words) {
  Arguments arguments(kRunFlags, words);
  arguments.expect("run", 1, 1);
  Launch launch = prepare(global, arguments);
  bool detached = arguments.has("detach");
  check_console(launch.spec.process, arguments, detached);
  launch.dir.reserve();
  Created created;
  Rollback rollback;
  rollback.add([&] { launch.dir.remove(); });
  Foreground foreground;
  CreateOptions options = create_options(global, launch, arguments);
  auto notify = take_from_systemd(global, launch, options, arguments);
  if (notify) notify->listen();
  created = starting([&] { return run(launch.spec, std::move(options)); });
  rollback.add([&] { undo(created, launch, arguments.operand(0)); });
  tell_of(created, launch, arguments);
  poststart(launch.state);
  if (detached) {
    if (notify) notify->wait(created.pidfd.get(), created.pid);
    rollback.commit();
    return 0;
  }
  int code = foreground.wait(created.pidfd.get(), std::move(created.console), notify ? &*notify : nullptr);
  rollback.commit();
  if (arguments.has("keep")) return code;
  kill_all(created.cgroup, SIGKILL);
  remove_container(launch.dir, launch.state);
  return code;
}

namespace {

std::uint32_t id_of(std::string_view kind, std::string_view text) {
  auto number = parse_int<std::uint32_t>(text);
  if (!number) throw Error(ErrorKind::InvalidArgument, cat("bad ", kind, ": ", quoted(text), " is no number"));
  return *number;
}

oci::Process exec_process(const ContainerState& state, const Arguments& arguments) {
  if (auto path = arguments.value("process"); !path.empty()) {
    auto process = oci::process_from_json(json::parse(os::read_file(path)));
    drop_overridden(process.env);
    if (!process.capabilities) process.capabilities = state.spec.process.capabilities;
    if (process.selinux_label.empty()) process.selinux_label = state.spec.process.selinux_label;
    if (process.apparmor_profile.empty()) process.apparmor_profile = state.spec.process.apparmor_profile;
    return process;
  }
  oci::Process process = state.spec.process;
  process.args.assign(arguments.operands().begin() + 1, arguments.operands().end());
  process.terminal = arguments.has("tty");
  process.console_size.reset();
  if (auto cwd = arguments.value("cwd"); !cwd.empty()) process.cwd = cwd;
  for (const auto& entry : arguments.values("env")) {
    auto [name, value] = cut(entry, '=');
    if (!value) throw Error(ErrorKind::InvalidArgument, cat("invalid environment variable: ", quoted(entry)));
    set_variable(process.env, name, *value);
  }
  if (arguments.has("no-new-privs")) process.no_new_privileges = true;
  if (auto label = arguments.value("process-label"); !label.empty()) process.selinux_label = label;
  if (auto profile = arguments.value("apparmor"); !profile.empty()) process.apparmor_profile = profile;
  for (const auto& name : arguments.values("cap")) {
    if (!process.capabilities) process.capabilities.emplace();
    auto& sets = *process.capabilities;
    for (auto* set : {&sets.bounding, &sets.effective, &sets.permitted}) set->push_back(name);
    // Ambient is only what may be inherited.
    if (std::find(sets.inheritable.begin(), sets.inheritable.end(), name) != sets.inheritable.end())
      sets.ambient.push_back(name);
  }
  if (auto text = arguments.value("user"); !text.empty()) {
    auto [uid, gid] = cut(text, ':');  // numbers, as in runc: names are the engine's business
    process.user.uid = id_of("uid", uid);
    if (gid) process.user.gid = id_of("gid", *gid);
  }
  for (const auto& gid : arguments.values("additional-gids")) {
    process.user.additional_gids.push_back(id_of("gid", gid));
  }
  return process;
}

// exec --cgroup: groups that are there already, below the container's: PATH, or on v1 CONTROLLER[,CONTROLLER]:PATH.
CgroupHandle group_below(const CgroupHandle& cgroup, const std::vector<std::string>& arguments) {
  CgroupHandle below = cgroup;
  for (const auto& argument : arguments) {
    auto [names, path] = cut(argument, ':');
    std::string relative = os::clean_path(path ? *path : names);
    if (relative.starts_with("..")) {
      throw Error(ErrorKind::InvalidArgument, cat("bad sub cgroup path: ", relative));
    }
    if (!path) {
      if (arguments.size() != 1) {
        throw Error(ErrorKind::InvalidArgument,
                    cat("invalid --cgroup argument: ", argument, " (missing <controller>: prefix)"));
      }
      below.path = os::path_join(cgroup.path, relative);
      continue;
    }
    for (const auto& name : split(names, ',')) {
      auto hierarchy = cgroup.layout.hierarchy_of(name);
      if (!hierarchy) {
        throw Error(ErrorKind::InvalidArgument, cat("unknown controller ", quoted(name), " in --cgroup ", argument));
      }
      auto [part, added] = below.parts.emplace(hierarchy->directory, relative);
      if (!added && part->second != relative) {
        throw Error(ErrorKind::InvalidArgument,
                    cat("invalid --cgroup argument(s): controller ", name, " specified multiple times"));
      }
    }
  }
  for (const auto& dir : directories(below)) {
    if (!os::exists(dir)) throw Error(ErrorKind::NotFound, cat("cgroup ", dir, " does not exist"));
  }
  return below;
}

}  // namespace

namespace {

int exec_in(const GlobalOptions& global, const Arguments& arguments) {
  StateDir dir(global.root, arguments.operand(0));
  ContainerState state = dir.load();
  std::string status = status_of(state, dir);
  if (status == "stopped") throw Error(ErrorKind::Conflict, "cannot exec in a stopped container");
  if (status == "paused" && !arguments.has("ignore-paused")) {
    throw Error(ErrorKind::Conflict, "cannot exec in a paused container (use --ignore-paused to override)");
  }
  if (arguments.operands().size() == 1 && arguments.value("process").empty()) {
    throw Error(ErrorKind::InvalidArgument, "process args cannot be empty");
  }
  CgroupHandle group = group_below(state.cgroup, arguments.values("cgroup"));
  ExecOptions options;
  options.process = exec_process(state, arguments);
  bool detached = arguments.has("detach");
  check_console(options.process, arguments, detached);
  options.init_pid = state.pid;
  options.cgroup = &group;
  options.spec = &state.spec;
  auto filter = dir.load_filter();
  options.filter = filter ? &*filter : nullptr;
  options.id = state.id;
  options.bundle = state.bundle;
  options.keep_fds = preserved(global, arguments);
  Foreground foreground;
  Executed executed = starting([&] { return exec(std::move(options)); });
  warn_all(executed.warnings);
  hand_over_console(arguments, executed.console);
  hand_over_pidfd(arguments, executed.pidfd);
  write_pid_file(arguments, executed.pid);
  return detached ? 0 : foreground.wait(executed.pidfd.get(), std::move(executed.console));
}

}  // namespace

int command_exec(const GlobalOptions& global, Words words) {
  Arguments arguments(kExecFlags, words);
  arguments.expect("exec", 1, kAnyNumber);
  return in_context("exec failed", [&] { return exec_in(global, arguments); });
}

}  // namespace proa::runtime
