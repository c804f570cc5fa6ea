#include "runtime/container_group.h"

#include "base/text.h"
#include "runtime/cgroup_unified.h"

namespace proa::runtime {
namespace {

std::string cgroup_path(const oci::Spec& spec, const std::string& id) {
  return spec.linux.cgroups_path.empty() ? cat("/", id) : spec.linux.cgroups_path;
}

}  // namespace

ContainerGroup::ContainerGroup(const oci::Spec& spec, const std::string& id, const std::string& cgroup_root,
                               bool systemd, CgroupHandle& cgroup, std::vector<std::string>& warnings,
                               Rollback& rollback) {
  const oci::Resources* resources = spec.linux.resources ? &*spec.linux.resources : nullptr;
  auto layout = os::find_cgroups(cgroup_root);
  if (systemd) {
    scope_.emplace(layout, plan_scope(spec.linux.cgroups_path, id), spec, id);
    rollback.add([unit = scope_->name().unit] { stop_scope(unit); });
    cgroup = create_cgroup(layout, scope_->name().path, resources, warnings, scope_->name().unit);
  } else {
    cgroup = create_cgroup(layout, cgroup_path(spec, id), resources, warnings);
  }
  rollback.add([&cgroup] { destroy_cgroup(cgroup); });
  delegate_cgroup(cgroup, spec);
}

void ContainerGroup::release() {
  if (scope_) scope_->release();
}

}  // namespace proa::runtime
