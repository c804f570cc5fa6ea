// PARENT: create, start and run.
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

#include "base/failpoint.h"
#include "base/rollback.h"
#include "base/text.h"
#include "base/time.h"
#include "base/trace.h"
#include "os/file.h"
#include "os/socket.h"
#include "os/syscalls.h"
#include "runtime/child.h"
#include "runtime/container_group.h"
#include "runtime/handshake.h"
#include "runtime/id_mapped.h"
#include "runtime/init.h"
#include "runtime/net_devices.h"
#include "runtime/spec_check.h"
#include "runtime/systemd_scope.h"
#include "runtime/verbs.h"

namespace proa::runtime {
namespace {

std::optional<SeccompProgram> plan_filter(const oci::Spec& spec, CreateOptions& options) {
  if (!spec.linux.seccomp) return std::nullopt;
  trace::Span span("runtime.seccomp");
  span.set("compiled", options.filter ? "before" : "now");
  auto program = options.filter ? std::move(*options.filter) : compile_seccomp(*spec.linux.seccomp);
  span.set("instructions", static_cast<std::int64_t>(program.instructions.size()));
  return program;
}

std::string resolved(const std::string& path) {
  char out[PATH_MAX];
  return ::realpath(path.c_str(), out) ? out : path;
}

// As runc: no link leads to the root but those on the way to the bundle.
void check_root(const oci::Spec& spec, const std::string& bundle) {
  std::string path = root_path(spec, bundle);
  struct stat info {};
  os::check(::stat(path.c_str(), &info), cat("invalid rootfs: stat ", path));
  if (!S_ISDIR(info.st_mode)) {
    throw Error(ErrorKind::InvalidArgument, cat("invalid rootfs: ", path, " is not a directory"));
  }
  if (resolved(path) != os::clean_path(root_path(spec, resolved(bundle)))) {
    throw Error(ErrorKind::InvalidArgument, "invalid rootfs: not an absolute path, or a symlink");
  }
}

std::string namespace_names(const oci::Spec& spec) {
  std::string names;
  for (const auto& item : spec.linux.namespaces) {
    names += cat(names.empty() ? "" : " ", item.type, item.path.empty() ? "" : "=", item.path);
  }
  return names;
}

os::CloneResult clone_init(InitPlan& plan, os::Fd& parent_end) {
  if (os::thread_count() != 1) {
    throw Error(ErrorKind::Internal, "a container can only be started by a program with one thread");
  }
  trace::Span span("runtime.clone");
  span.set("namespaces", namespace_names(plan.spec));
  os::Fd pid_namespace = plan.namespaces.pid_path.empty() ? os::Fd() : open_namespace(plan.namespaces.pid_path);
  PidNamespaceForChildren joined(pid_namespace.get());
  auto clone_into = [&](const os::Fd& group) {
    auto child = os::clone_process(plan.namespaces.clone_flags, group.get());
    if (child.pid == 0) {
      parent_end.reset();
      run_init(plan);
    }
    return child;
  };
  os::CloneResult child;
  try {
    child = clone_into(open_for_clone(plan.cgroup));
  } catch (const Error& error) {
    if (error.errno_code() != EACCES || plan.cgroup.unit.empty()) throw;
    plan.attached_later = true;
    child = clone_into({});
  }
  span.set("pid", child.pid);
  return child;
}

void run_parent_hooks(const oci::Spec& spec, const CreateOptions& options, int socket, pid_t pid) {
  if (!spec.hooks || (spec.hooks->prestart.empty() && spec.hooks->create_runtime.empty())) return;
  expect_note(socket, Tag::Hooks, "the container's init");
  Json state = state_document(spec, options.id, "creating", pid, options.bundle);
  run_hooks(spec.hooks->prestart, state);
  run_hooks(spec.hooks->create_runtime, state);
  send_note(socket, Tag::HooksDone);
}

void take_ready(Created& created, Note&& note, std::int64_t& sent_at) {
  ReadyBody body = decode_ready(note.body);
  created.warnings.insert(created.warnings.end(), body.warnings.begin(), body.warnings.end());
  if (auto* recorder = trace::current()) recorder->adopt(body.events, trace::current_parent());
  created.console = std::move(note.fd);
  sent_at = body.sent_at;
}

// Mounts that came as descriptors: no path leads to them.
void take_given_mounts(const oci::Spec& spec, CreateOptions& options, InitPlan& plan) {
  for (std::size_t i = 0; i < spec.mounts.size(); ++i) {
    auto given = options.mounts.find(spec.mounts[i].source);
    if (given == options.mounts.end()) continue;
    plan.mounts[i].source = given->first;
    plan.prepared.insert_or_assign(i, std::move(given->second));
    options.mounts.erase(given);
  }
}

Created bring_up(const oci::Spec& spec, CreateOptions& options, Gate gate) {
  trace::Span span("runtime.create");
  check_spec(spec, options.rootfs.has_value());
  if (!options.rootfs) check_root(spec, options.bundle);
  Created created;
  Rollback rollback;
  // Decided before anything is made: what is wrong with the specification costs nothing.
  InitPlan plan{spec,
                options,
                created.cgroup,
                plan_namespaces(spec.linux),
                plan_mounts(spec, options.bundle),
                {},
                plan_filter(spec, options),
                gate};
  GroupOptions group_options{options.cgroup_root, options.resctrl_root, options.systemd_cgroup, options.rootless};
  if (options.systemd_cgroup) group_options.properties = annotated_properties(spec.annotations);
  plan.prepared = open_id_mapped(plan.mounts, spec.linux);
  take_given_mounts(spec, options, plan);
  rollback.add([&] { run_poststop_hooks(spec, options.id, options.bundle); });
  ContainerGroup group(spec, options.id, group_options, created.cgroup, created.warnings, rollback);
  FAILPOINT("runtime.create.after_cgroup");

  auto [parent_end, child_end] = os::make_socket_pair(SOCK_SEQPACKET);
  plan.socket = child_end.get();
  os::Fd listener;
  if (gate == Gate::Socket) {
    listener = os::listen_unix(options.gate_path, SOCK_SEQPACKET, 0600);
    plan.listener = listener.get();
  }
  auto child = clone_init(plan, parent_end);
  created.pid = child.pid;
  created.pidfd = std::move(child.pidfd);
  child_end.reset();
  rollback.add([&] { discard_child(created.pidfd); });
  if (plan.attached_later) attach_to_scope(created.cgroup, created.pid);
  if (created.cgroup.resctrl) join_resctrl(*created.cgroup.resctrl, created.pid);
  group.release();
  FAILPOINT("runtime.create.after_clone");

  std::int64_t sent_at = 0;
  // From here on the child says what goes wrong, also while we wait for something else of it.
  if (plan.namespaces.is_new(CLONE_NEWUSER)) {
    write_id_maps(created.pid, spec.linux.uid_mappings, spec.linux.gid_mappings);
  }
  move_net_devices(spec.linux, created.pid);
  if (waits_for_gifts(plan)) send_note(parent_end.get(), Tag::Gifts);
  run_parent_hooks(spec, options, parent_end.get(), created.pid);
  take_ready(created, expect_note(parent_end.get(), Tag::Ready, "the container's init"), sent_at);
  created.supervisor = supervisor_of(spec, options.id, options.bundle, created.pid);
  if (gate == Gate::None) wait_for_exec(parent_end.get(), sent_at, spec.process.args, created.supervisor);
  if (gate == Gate::Parent) created.start_gate = std::move(parent_end);
  created.filter = std::move(plan.filter);
  rollback.commit();
  return created;
}

void open_gate(int socket, const std::optional<Supervisor>& supervisor) {
  auto since = monotonic_now();
  send_note(socket, Tag::Go);
  wait_for_exec(socket, since, {}, supervisor);
}

}  // namespace

std::string root_path(const oci::Spec& spec, const std::string& bundle) {
  const std::string& path = spec.root.path;
  return path.starts_with('/') ? path : os::path_join(bundle, path);
}

Created create(const oci::Spec& spec, CreateOptions&& options) {
  return bring_up(spec, options, options.gate_path.empty() ? Gate::Parent : Gate::Socket);
}

Created run(const oci::Spec& spec, CreateOptions&& options) { return bring_up(spec, options, Gate::None); }

void start(Created& created) {
  trace::Span span("runtime.start");
  os::Fd gate = std::move(created.start_gate);
  open_gate(gate.get(), created.supervisor);
}

void start_remote(const std::string& gate_path, const std::optional<Supervisor>& supervisor) {
  os::Fd gate = os::connect_unix(gate_path, SOCK_SEQPACKET);
  open_gate(gate.get(), supervisor);
}

}  // namespace proa::runtime
