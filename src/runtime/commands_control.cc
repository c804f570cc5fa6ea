// proa-runtime kill, delete, pause, resume.
#include <sched.h>
#include <signal.h>

#include "base/text.h"
#include "os/process.h"
#include "runtime/cli.h"
#include "runtime/command_flags.h"
#include "runtime/namespaces.h"
#include "runtime/state_dir.h"
#include "runtime/verbs.h"

namespace proa::runtime {

int command_kill(const GlobalOptions& global, Words words) {
  Arguments arguments(kKillFlags, words, Order::Mixed);
  arguments.expect("kill", 1, 2);
  StateDir dir(global.root, arguments.operand(0));
  ContainerState state = dir.load();
  std::string name = arguments.operands().size() > 1 ? arguments.operands()[1] : "SIGTERM";
  auto signal = parse_int<int>(name);  // the kernel judges numbers: 0 asks whether there is somebody
  if (!signal) signal = os::parse_signal(name);
  if (!signal) throw Error(ErrorKind::InvalidArgument, cat("unknown signal ", quoted(name)));
  if (arguments.has("all")) {
    kill_all(state.cgroup, *signal);
    return 0;
  }
  if (!is_alive(state)) throw Error(ErrorKind::Conflict, "container not running");
  // Init's end is the end of its pid namespace; where it has none of its own the others would stay.
  if (*signal == SIGKILL && !plan_namespaces(state.spec.linux).is_new(CLONE_NEWPID) && !state.cgroup.path.empty()) {
    kill_all(state.cgroup, SIGKILL);
    return 0;
  }
  auto pidfd = os::try_open_pidfd(state.pid);
  if (!pidfd || !is_alive(state) || !os::try_signal_pidfd(pidfd->get(), *signal)) {
    throw Error(ErrorKind::Conflict, "container not running");
  }
  // A frozen process would die of SIGKILL only when it is thawed (v1).
  if (*signal == SIGKILL && is_frozen(state.cgroup)) thaw(state.cgroup);
  return 0;
}

int command_delete(const GlobalOptions& global, Words words) {
  Arguments arguments(kDeleteFlags, words, Order::Mixed);
  arguments.expect("delete", 1, 1);
  bool force = arguments.has("force");
  StateDir dir(global.root, arguments.operand(0));
  ContainerState state;
  try {
    state = dir.load();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::NotFound) throw;
    dir.remove();  // half-made: a create that died
    if (force) return 0;
    throw;
  }
  std::string status = status_of(state, dir);
  if (status != "stopped") {
    if (!force && status != "created") {
      throw Error(ErrorKind::Conflict, cat("cannot delete container ", state.id, " that is not stopped: ", status));
    }
    end(state);
  }
  // Without a pid namespace of its own others may have outlived init.
  kill_all(state.cgroup, SIGKILL);
  remove_container(dir, state);
  return 0;
}

int command_pause(const GlobalOptions& global, Words words) {
  Arguments arguments({}, words);
  arguments.expect("pause", 1, 1);
  StateDir dir(global.root, arguments.operand(0));
  ContainerState state = dir.load();
  if (std::string status = status_of(state, dir); status != "running" && status != "created") {
    throw Error(ErrorKind::Conflict, "container not running");
  }
  freeze(state.cgroup);
  return 0;
}

int command_resume(const GlobalOptions& global, Words words) {
  Arguments arguments({}, words);
  arguments.expect("resume", 1, 1);
  StateDir dir(global.root, arguments.operand(0));
  ContainerState state = dir.load();
  if (status_of(state, dir) != "paused") throw Error(ErrorKind::Conflict, "container not paused");
  thaw(state.cgroup);
  return 0;
}

}  // namespace proa::runtime
