// exec: one more process in a running container. PARENT clones it into the container's pid namespace; CHILD enters the
// other namespaces with one setns(pidfd), then confines itself as init did.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/rollback.h"
#include "base/text.h"
#include "base/time.h"
#include "base/trace.h"
#include "os/file.h"
#include "os/process.h"
#include "os/socket.h"
#include "os/syscalls.h"
#include "runtime/child.h"
#include "runtime/confinement.h"
#include "runtime/devices.h"
#include "runtime/handshake.h"
#include "runtime/labels.h"
#include "runtime/limits.h"
#include "runtime/namespaces.h"
#include "runtime/program.h"
#include "runtime/spec_check.h"
#include "runtime/systemd_scope.h"
#include "runtime/verbs.h"

namespace proa::runtime {
namespace {

struct JoinPlan {
  const ExecOptions& options;
  std::uint64_t namespaces;  // CLONE_NEW* of the container
  int init_pidfd;
  const SeccompProgram* filter;  // null: none
  int socket;
  bool attached_later = false;  // not born in the cgroup: systemd moves it there
  // PARENT moves it into groups before it does anything.
  bool waits_for_gifts() const { return attached_later || (options.cgroup && options.cgroup->resctrl); }
};

// Two processes, one after the other: what lives in the container's pid namespace is seen from inside, and may be
// traced by who has CAP_SYS_PTRACE there. So the first, outside of it, does all that has to do with the host; the
// second is born with the container's root and nothing of the host's (CVE-2016-9962).
class Join {
 public:
  explicit Join(const JoinPlan& plan) : plan_(plan), process_(plan.options.process), recorder_("exec") {}

  void run() {
    trace::Scope scope(recorder_);
    reset_signals();
    if (plan_.options.die_with_parent) tie_to_parent(plan_.socket);
    const auto& affinity = process_.exec_cpu_affinity;
    if (affinity) set_cpu_affinity(affinity->initial);
    if (plan_.waits_for_gifts()) expect_note(plan_.socket, Tag::Gifts, "the runtime");
    if (plan_.options.cgroup) join_cgroup(*plan_.options.cgroup);
    if (affinity) set_cpu_affinity(affinity->final);
    if (process_.oom_score_adj) set_oom_score_adj(*process_.oom_score_adj, warnings_);
    label_keys(process_, Proc::Callers);
    ExecLabels(process_, Proc::Callers).set();  // the one that is cloned below inherits them
    arrange_stdio(plan_.options.stdio);
    auto kept = plan_.options.keep_fds;
    for (int fd : kept) os::set_cloexec(fd, false);
    kept.insert(kept.end(), {plan_.socket, plan_.init_pidfd});
    close_all_but(kept);
    in_context("join the container's namespaces",
               [&] { os::set_namespace(plan_.init_pidfd, static_cast<int>(plan_.namespaces)); });
    ::close(plan_.init_pidfd);
    auto inside = os::clone_process(CLONE_PARENT);
    if (inside.pid == 0) run_inside();
    send_note(plan_.socket, Tag::Joined, cat(inside.pid), inside.pidfd.get());
    ::_exit(0);
  }

 private:
  void run_inside() {
    if (plan_.options.die_with_parent) tie_to_parent(plan_.socket);
    os::check(::setsid(), "setsid");
    if (plan_.namespaces & CLONE_NEWUSER) become_root_of_namespace();
    new_session_keyring("_ses.exec");
    os::TtyPair console;
    if (process_.terminal) {
      console = open_console(os::RootedDir::open("/"), process_.console_size);
      adopt_console(console.slave.get(), process_.user.uid);
    }
    const auto& personality = plan_.options.spec->linux.personality;
    if (personality) set_personality(*personality);
    set_scheduling(process_);
    set_rlimits(process_.rlimits, warnings_);
    auto env = process_.env;
    add_home(env, process_.user.uid);
    enter_directory(process_.cwd.empty() ? "/" : process_.cwd);
    Confinement confinement(process_, plan_.filter, warnings_);
    confinement.become_user();
    if (plan_.options.die_with_parent) tie_to_parent(plan_.socket);
    std::string program = look_path(process_.args[0], env);
    ReadyBody body{warnings_, recorder_.events(), monotonic_now()};
    send_note(plan_.socket, Tag::Ready, encode_ready(body), console.master.get());
    hand_over_listener(confinement.seal(), plan_.socket);
    execute(program, process_.args, env);
  }

  static void become_root_of_namespace() {
    os::check(::setresgid(0, 0, 0), "setgid in the user namespace");
    os::check(::setresuid(0, 0, 0), "setuid in the user namespace");
  }

  const JoinPlan& plan_;
  const oci::Process& process_;
  trace::Recorder recorder_;
  std::vector<std::string> warnings_;
};

[[noreturn]] void run_join(const JoinPlan& plan) noexcept {
  try {
    Join(plan).run();
  } catch (...) {
    report_and_exit(plan.socket);
  }
  ::_exit(1);
}

os::CloneResult clone_join(const JoinPlan& plan, os::Fd& parent_end, const os::Fd& group) {
  auto child = os::clone_process(0, group.get());
  if (child.pid == 0) {
    parent_end.reset();
    run_join(plan);
  }
  return child;
}

os::CloneResult clone_into_group(JoinPlan& plan, os::Fd& parent_end) {
  const auto& options = plan.options;
  os::Fd group = options.cgroup ? open_for_clone(*options.cgroup) : os::Fd();
  try {
    return clone_join(plan, parent_end, group);
  } catch (const Error& error) {
    if (!group) throw;
    if (error.errno_code() == EACCES && !options.cgroup->unit.empty()) {
      plan.attached_later = true;
      return clone_join(plan, parent_end, {});
    }
    // v2: a group that hands controllers down may have no processes. Then the container's init has moved into one
    // below, and what joins the container joins it there.
    if (error.errno_code() != EBUSY) throw;
    auto text = os::read_file(cat("/proc/", options.init_pid, "/cgroup"));
    auto path = os::parse_proc_cgroup(text, "");
    if (!path) throw;
    return clone_join(plan, parent_end, open_for_clone({options.cgroup->layout, *path}));
  }
}

// Joined and Ready (or Failed) come from two processes, in either order.
ReadyBody receive_both(int socket, Executed& executed) {
  std::optional<Note> ready;
  while (!executed.pidfd || !ready) {
    auto note = receive_any(socket);
    if (!note) break;
    if (note->tag == Tag::Joined) {
      executed.pid = parse_int<pid_t>(note->body).value_or(-1);
      executed.pidfd = std::move(note->fd);
    } else {
      ready = std::move(note);
    }
  }
  if (ready && ready->tag == Tag::Failed) throw error_from_line(ready->body);
  if (!ready || !executed.pidfd) throw Error(ErrorKind::Internal, "the process ended before it was ready");
  ReadyBody body = decode_ready(ready->body);
  executed.warnings = std::move(body.warnings);
  executed.console = std::move(ready->fd);
  return body;
}

}  // namespace

Executed exec(ExecOptions&& options) {
  trace::Span span("runtime.exec_into");
  check_process(options.process);
  if (!options.spec) throw Error(ErrorKind::InvalidArgument, "exec needs the container's specification");
  if (os::thread_count() != 1) {
    throw Error(ErrorKind::Internal, "a process can only be started in a container by a program with one thread");
  }
  os::Fd opened;
  if (options.init_pidfd < 0) opened = os::open_pidfd(options.init_pid);
  JoinPlan plan{options, plan_namespaces(options.spec->linux).owned, opened ? opened.get() : options.init_pidfd,
                options.filter, -1};
  std::optional<SeccompProgram> compiled;
  if (!plan.filter && options.spec->linux.seccomp) {
    plan.filter = &compiled.emplace(compile_seccomp(*options.spec->linux.seccomp));
  }

  // Root in the container may trace what lives in its pid namespace: nothing of ours may be read there.
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  auto [parent_end, child_end] = os::make_socket_pair(SOCK_SEQPACKET);
  plan.socket = child_end.get();
  auto outside = clone_into_group(plan, parent_end);
  child_end.reset();
  Executed executed;
  Rollback rollback;
  rollback.add([&] { discard_child(outside.pidfd); });
  FAILPOINT("runtime.exec.after_clone");
  if (plan.attached_later) attach_to_scope(*options.cgroup, outside.pid);
  if (options.cgroup && options.cgroup->resctrl) join_resctrl(*options.cgroup->resctrl, outside.pid);
  if (plan.waits_for_gifts()) send_note(parent_end.get(), Tag::Gifts);
  rollback.add([&] { discard_child(executed.pidfd); });
  ReadyBody body = receive_both(parent_end.get(), executed);
  span.set("pid", executed.pid);
  if (auto* recorder = trace::current()) recorder->adopt(body.events, trace::current_parent());
  auto supervisor = supervisor_of(*options.spec, options.id, options.bundle, executed.pid);
  wait_for_exec(parent_end.get(), body.sent_at, options.process.args, supervisor);
  os::wait_exit(outside.pidfd.get());
  rollback.commit();
  return executed;
}

}  // namespace proa::runtime
