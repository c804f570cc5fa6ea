#include "runtime/init.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "base/time.h"
#include "os/file.h"
#include "os/socket.h"
#include "runtime/child.h"
#include "runtime/confinement.h"
#include "runtime/devices.h"
#include "runtime/handshake.h"
#include "runtime/labels.h"
#include "runtime/limits.h"
#include "runtime/program.h"
#include "runtime/rootfs.h"

namespace proa::runtime {
namespace {

const os::Fd* find(const std::map<std::size_t, os::Fd>& mounts, std::size_t index) {
  auto found = mounts.find(index);
  return found == mounts.end() ? nullptr : &found->second;
}

class Init {
 public:
  explicit Init(const InitPlan& plan) : plan_(plan), spec_(plan.spec), process_(plan.spec.process), recorder_("init") {}

  // The whole start of a container, one step per line, in the order the kernel and the specification demand.
  void run() {
    trace::Scope scope(recorder_);
    reset_signals();
    if (plan_.options.die_with_parent) tie_to_parent(plan_.socket);
    join_namespaces(plan_.namespaces);
    if (waits_for_gifts(plan_)) expect_note(plan_.socket, Tag::Gifts, "the runtime");
    join_cgroup(plan_.cgroup);
    unshare_namespaces(plan_.namespaces, spec_.linux);
    become_root_of_namespace();
    unshare_as_root(plan_.namespaces);
    if (process_.oom_score_adj) set_oom_score_adj(*process_.oom_score_adj, warnings_);
    os::check(::setsid(), "setsid");
    if (!plan_.options.no_new_keyring) {
      label_keys(process_, Proc::Private);
      new_session_keyring(cat("_ses.", plan_.options.id));
    }
    arrange_stdio(plan_.options.stdio);
    close_others(plan_.options.keep_fds);
    ExecLabels labels(process_, Proc::Private);
    set_sysctls(spec_.linux.sysctl, plan_.namespaces);
    set_host_propagation(spec_);
    auto host_root = clone_host_root(plan_.mounts);
    auto root = attach_root(plan_.options.rootfs, root_path(spec_, plan_.options.bundle));
    for (std::size_t i = 0; i < plan_.mounts.size(); ++i) {
      const os::Fd* prepared = find(plan_.prepared, i);
      apply_mount(root, plan_.mounts[i], plan_.cgroup, prepared ? prepared : find(host_root, i));
    }
    make_devices(root, spec_, plan_.namespaces.own(CLONE_NEWUSER));
    os::TtyPair console = make_console(root);
    make_working_directory(root);
    ask_for_hooks();
    if (spec_.hooks) run_hooks(spec_.hooks->create_container, state("creating"));
    adopt_null(root);
    pivot_into(root, spec_, plan_.options.no_pivot);
    make_readonly(root, spec_.linux.readonly_paths);
    mask_paths(root, spec_.linux.masked_paths, spec_.linux.mount_label);
    if (spec_.root.readonly) make_root_readonly(root);
    set_names();
    if (spec_.linux.personality) set_personality(*spec_.linux.personality);
    if (spec_.linux.memory_policy) set_memory_policy(*spec_.linux.memory_policy);
    set_scheduling(process_);
    set_rlimits(process_.rlimits, warnings_);
    if (console.slave) adopt_console(console.slave.get(), process_.user.uid);
    auto env = process_.env;
    add_home(env, process_.user.uid);
    enter_directory(process_.cwd.empty() ? "/" : process_.cwd);
    labels.set();
    Confinement confinement(process_, plan_.filter ? &*plan_.filter : nullptr, warnings_);
    confinement.become_user();
    if (plan_.options.die_with_parent) tie_to_parent(plan_.socket);
    std::string program = look_path(process_.args[0], env);
    send_ready(console);
    wait_at_gate();
    become_program(confinement, program, env);
  }

  int socket() const { return gate_ ? gate_.get() : plan_.socket; }

 private:
  // run() holds descriptors that were closed at the gate, and one of their numbers is the gate's own now: nothing may
  // unwind from here.
  [[noreturn]] void become_program(Confinement& confinement, const std::string& program,
                                   const std::vector<std::string>& env) noexcept {
    try {
      if (spec_.hooks) run_hooks(spec_.hooks->start_container, state("created"));
      hand_over_listener(confinement.seal(), socket());
      execute(program, process_.args, env);
    } catch (...) {
      report_and_exit(socket());
    }
  }

  Json state(std::string_view status) const {
    return state_document(spec_, plan_.options.id, status, ::getpid(), plan_.options.bundle);
  }

  // Files and mounts made from here on belong to the container's root, not to the host's. After the cgroups: joining
  // them took the host's.
  void become_root_of_namespace() {
    if (!plan_.namespaces.own(CLONE_NEWUSER)) return;
    os::check(::setresgid(0, 0, 0), "setgid in the user namespace");
    os::check(::setresuid(0, 0, 0), "setuid in the user namespace");
  }

  os::TtyPair make_console(const os::RootedDir& root) {
    if (!process_.terminal) return {};
    auto pair = open_console(root, process_.console_size);
    mount_console(root, pair.slave.get());
    return pair;
  }

  void make_working_directory(const os::RootedDir& root) {
    try {
      root.make_dirs(process_.cwd);
    } catch (const Error&) {
      // A read-only root or no directory: entering it says what is wrong.
    }
  }

  void ask_for_hooks() {
    if (!spec_.hooks || (spec_.hooks->prestart.empty() && spec_.hooks->create_runtime.empty())) return;
    send_note(plan_.socket, Tag::Hooks);
    expect_note(plan_.socket, Tag::HooksDone, "the runtime");
  }

  void set_names() {
    if (!spec_.hostname.empty()) {
      os::check(::sethostname(spec_.hostname.data(), spec_.hostname.size()), "sethostname");
    }
    if (!spec_.domainname.empty()) {
      os::check(::setdomainname(spec_.domainname.data(), spec_.domainname.size()), "setdomainname");
    }
  }

  void send_ready(os::TtyPair& console) {
    ReadyBody body{warnings_, recorder_.events(), monotonic_now()};
    send_note(plan_.socket, Tag::Ready, encode_ready(body), console.master.get());
    console.master.reset();
    console.slave.reset();
  }

  void wait_at_gate() {
    if (plan_.gate == Gate::None) return;
    // It may be long, and others may be executed into the container meanwhile: nothing of the host's stays open.
    auto kept = plan_.options.keep_fds;
    kept.insert(kept.end(), {plan_.socket, plan_.listener});
    close_all_but(kept);
    if (plan_.gate == Gate::Parent) {
      expect_note(plan_.socket, Tag::Go, "the runtime");
      return;
    }
    for (;;) {  // whoever connects and leaves without a word is not the one
      gate_ = os::accept_connection(plan_.listener);
      if (receive_note(gate_.get(), Tag::Go)) return;
    }
  }

  const InitPlan& plan_;
  const oci::Spec& spec_;
  const oci::Process& process_;
  trace::Recorder recorder_;
  std::vector<std::string> warnings_;
  os::Fd gate_;
};

}  // namespace

void run_init(const InitPlan& plan) noexcept {
  Init init(plan);
  try {
    init.run();
  } catch (...) {
    report_and_exit(init.socket());
  }
  ::_exit(1);
}

}  // namespace proa::runtime
