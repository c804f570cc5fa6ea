// CHILD: the first process of a container, from clone3 to execve.
#pragma once

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
  std::optional<SeccompProgram> filter;
  Gate gate = Gate::None;
  int socket = -1;    // to PARENT
  int listener = -1;  // Gate::Socket
};

[[noreturn]] void run_init(const InitPlan& plan) noexcept;

}  // namespace proa::runtime
