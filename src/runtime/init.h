// CHILD: the first process of a container, from clone3 to execve.
#pragma once

#include <sched.h>

#include <map>
#include <optional>
#include <vector>

#include "oci/runtime_spec.h"
#include "runtime/mount_plan.h"
#include "runtime/namespaces.h"
#include "runtime/seccomp.h"
#include "runtime/verbs.h"

namespace proa::runtime {

enum class Gate { None, Parent, Socket };  // who lets the program run: nobody has to, PARENT, or a later process

// All that was decided before clone3.
struct InitPlan {
  const oci::Spec& spec;
  const CreateOptions& options;
  const CgroupHandle& cgroup;
  NamespacePlan namespaces;
  std::vector<MountStep> mounts;
  std::map<std::size_t, os::Fd> prepared;  // detached mounts, by their place in `mounts`
  std::optional<SeccompProgram> filter;
  Gate gate = Gate::None;
  int socket = -1;              // to PARENT
  int listener = -1;            // Gate::Socket
  bool attached_later = false;  // not born in the cgroup: systemd moves it there
};

// What only PARENT can give: the id maps of a new user namespace, the host's network devices, a group of a user's
// systemd, a class of service.
inline bool waits_for_gifts(const InitPlan& plan) {
  return plan.namespaces.is_new(CLONE_NEWUSER) || !plan.spec.linux.net_devices.empty() || plan.attached_later ||
         plan.cgroup.resctrl;
}

[[noreturn]] void run_init(const InitPlan& plan) noexcept;

}  // namespace proa::runtime
