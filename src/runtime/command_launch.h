// What create, run, exec and restore have in common: the bundle they read, what is remembered, what callers are handed.
#pragma once

#include <string>
#include <vector>

#include "oci/runtime_spec.h"
#include "os/fd.h"
#include "runtime/arguments.h"
#include "runtime/cli.h"
#include "runtime/state_dir.h"
#include "runtime/verbs.h"

namespace proa::runtime {

struct Launch {
  oci::Spec spec;
  std::string bundle;
  bool systemd_cgroup, rootless;
  StateDir dir;
  ContainerState state;
};

// Of the container that the first operand names, from --bundle.
Launch prepare(const GlobalOptions& global, const Arguments& arguments);
void remember(Launch& launch, const std::string& id, const Created& created);

void warn_all(const std::vector<std::string>& warnings);
// --console-socket and --detach against process.terminal. Throws InvalidArgument.
void check_console(const oci::Process& process, const Arguments& arguments, bool detached);
void write_pid_file(const Arguments& arguments, pid_t pid);
void hand_over_pidfd(const Arguments& arguments, const os::Fd& pidfd);
void hand_over_console(const Arguments& arguments, os::Fd& console);

// For a container that has come up: all of these, so that its caller and the commands after this one know of it.
void tell_of(Created& created, Launch& launch, const Arguments& arguments);
// Its end, where something after its coming up has failed.
void undo(const Created& created, const Launch& launch, const std::string& id) noexcept;

}  // namespace proa::runtime
