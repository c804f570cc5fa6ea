// PARENT: the control group of a new container, by the driver that was asked for, and its class of service.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/rollback.h"
#include "oci/runtime_spec.h"
#include "runtime/cgroup.h"
#include "runtime/systemd_scope.h"
#include "runtime/unit_properties.h"

namespace proa::runtime {

struct GroupOptions {
  std::string cgroup_root, resctrl_root;  // verbs.h
  bool systemd = false;
  bool rootless = false;
  std::vector<UnitProperty> properties = {};  // more of the scope's
};

class ContainerGroup {
 public:
  // Makes it, with its limits; `rollback` takes it away again. `cgroup` is what it is called.
  ContainerGroup(const oci::Spec& spec, const std::string& id, const GroupOptions& options, CgroupHandle& cgroup,
                 std::vector<std::string>& warnings, Rollback& rollback);
  // The container is in: nobody else has to keep the group alive.
  void release();

 private:
  std::optional<ScopeStart> scope_;
};

}  // namespace proa::runtime
