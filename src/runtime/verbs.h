// What can be done with a container, one function per verb. Callers are single-threaded (clone3 without exec follows).
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "oci/runtime_spec.h"
#include "os/fd.h"
#include "runtime/cgroup.h"
#include "runtime/seccomp.h"

namespace proa::runtime {

// Who is told of the system calls that the seccomp profile answers with SCMP_ACT_NOTIFY: the descriptor of the filter
// goes to the socket at `path`, with `message` (ContainerProcessState of the specification).
struct Supervisor {
  pid_t pid = -1;  // whose filter it is
  std::string path, message;
};
// nullopt where no rule asks for one. `id`, `bundle` and `pid` (the container's init) are for the message.
std::optional<Supervisor> supervisor_of(const oci::Spec& spec, std::string_view id, std::string_view bundle, pid_t pid);

struct Stdio {  // inherited where -1; with a terminal all three are the terminal
  int in = -1, out = -1, err = -1;
};

struct CreateOptions {
  std::string id;
  std::string bundle;                    // directory of config.json; a relative root.path is relative to it
  std::optional<os::Fd> rootfs;          // a detached mount to use as the root instead of spec.root.path
  std::map<std::string, os::Fd> mounts;  // detached mounts, by what bind mounts of the spec name as their source
  Stdio stdio;
  std::vector<int> keep_fds;             // stay open in the payload under their numbers
  std::optional<SeccompProgram> filter;  // compiled before; the specification's rules are not read then
  std::string gate_path;                 // create: start comes from another process, through a socket at this path
  bool die_with_parent = false;          // SIGKILL for the container's init when this process ends. (The kernel forgets
                                         // it when init executes a set-user-ID or file-capability program.)
  bool no_pivot = false, no_new_keyring = false;
  bool systemd_cgroup = false;  // cgroupsPath is "slice:prefix:name"
  bool rootless = false;        // without cgroupsPath and limits, a group that may not be made is done without
  std::string cgroup_root = "/sys/fs/cgroup";
  std::string resctrl_root;  // "" : where it is mounted
};

// Spans of this process and of the container's init go to the current trace::Recorder.
struct Created {
  pid_t pid = -1;
  os::Fd pidfd;
  os::Fd console;     // pty master if process.terminal
  os::Fd start_gate;  // start() opens it
  std::optional<Supervisor> supervisor;
  std::optional<SeccompProgram> filter;  // for who executes further processes in the container
  CgroupHandle cgroup;
  std::vector<std::string> warnings;
};

// Everything up to the gate: cgroup, clone3, id maps, hooks, the container's init waits before its seccomp and execve.
// On an Error nothing is left behind, and the poststop hooks have run if anything had been made.
Created create(const oci::Spec& spec, CreateOptions&& options);
// Opens the gate; returns when execve has succeeded, or throws the Error of init (which is then gone; reap it).
void start(Created& created);
// Opens the gate of a container whose create was another process's.
void start_remote(const std::string& gate_path, const std::optional<Supervisor>& supervisor);
// create and start with no stop between.
Created run(const oci::Spec& spec, CreateOptions&& options);

struct ExecOptions {
  oci::Process process;
  Stdio stdio;
  std::vector<int> keep_fds;
  pid_t init_pid = -1;
  int init_pidfd = -1;  // -1: opened from init_pid
  const CgroupHandle* cgroup = nullptr;
  const oci::Spec* spec = nullptr;         // the container's: namespaces, seccomp, root of defaults
  const SeccompProgram* filter = nullptr;  // what Created has; null: compiled from the specification
  std::string id, bundle;                  // of the container, for a seccomp supervisor
  bool die_with_parent = false;
};
struct Executed {
  pid_t pid = -1;
  os::Fd pidfd;
  os::Fd console;
  std::vector<std::string> warnings;
};
// Returns when execve has succeeded. Start errors have docker's words (`exec: "x": executable file not found in
// $PATH`).
Executed exec(ExecOptions&& options);

// Where root.path is on the host.
std::string root_path(const oci::Spec& spec, const std::string& bundle);

// Hooks of the specification with the container's state on standard input. Throws for the first that fails.
void run_hooks(const std::vector<oci::Hook>& hooks, const Json& state);
// Of a container that is gone, or did not come about: one that fails is logged, the others run.
void run_poststop_hooks(const oci::Spec& spec, std::string_view id, std::string_view bundle);
// The state document of the specification ("ociVersion", "id", "status", "pid", "bundle", "annotations").
Json state_document(const oci::Spec& spec, std::string_view id, std::string_view status, pid_t pid,
                    std::string_view bundle);

// freeze, thaw, kill_all, update_cgroup, pids, stats, oom_kills, destroy_cgroup: runtime/cgroup.h

}  // namespace proa::runtime
