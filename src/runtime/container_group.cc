#include "runtime/container_group.h"

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "runtime/cgroup_plan.h"
#include "runtime/cgroup_unified.h"

namespace proa::runtime {
namespace {

std::string cgroup_path(const oci::Spec& spec, const std::string& id) {
  return spec.linux.cgroups_path.empty() ? cat("/", id) : spec.linux.cgroups_path;
}

bool is_denied(const Error& error) {
  return error.errno_code() == EACCES || error.errno_code() == EPERM || error.errno_code() == EROFS;
}

bool asks_for_limits(const os::CgroupLayout& layout, const oci::Resources* resources) {
  if (!resources) return false;
  auto writes = plan_cgroup(*resources, layout.unified ? CgroupVersion::Two : CgroupVersion::One);
  return std::any_of(writes.begin(), writes.end(), [](const CgroupWrite& one) { return one.controller != "devices"; });
}

}  // namespace

ContainerGroup::ContainerGroup(const oci::Spec& spec, const std::string& id, const GroupOptions& options,
                               CgroupHandle& cgroup, std::vector<std::string>& warnings, Rollback& rollback) {
  const oci::Resources* resources = spec.linux.resources ? &*spec.linux.resources : nullptr;
  std::optional<ResctrlGroup> resctrl;
  if (spec.linux.intel_rdt) {
    resctrl = create_resctrl(options.resctrl_root, *spec.linux.intel_rdt, id);
    rollback.add([made = *resctrl] { remove_resctrl(made); });
  }
  auto layout = os::find_cgroups(options.cgroup_root);
  if (options.systemd) {
    auto systemd = systemd_socket(options.rootless);
    scope_.emplace(layout, plan_scope(spec.linux.cgroups_path, id, systemd), systemd, spec, id, options.properties);
    const auto& name = scope_->name();
    rollback.add([made = CgroupHandle{layout, name.path, name.unit, systemd}] { stop_scope(made); });
    cgroup = create_cgroup(layout, name.path, resources, warnings,
                           {.unit = name.unit, .systemd = systemd, .skip_devices = options.rootless});
  } else {
    try {
      cgroup = create_cgroup(layout, cgroup_path(spec, id), resources, warnings, {.skip_devices = options.rootless});
    } catch (const Error& error) {
      if (!options.rootless || !spec.linux.cgroups_path.empty() || !is_denied(error)) throw;
      if (asks_for_limits(layout, resources)) {
        throw Error(ErrorKind::Forbidden,
                    cat("rootless needs no limits + no cgrouppath when no permission is granted for cgroups: ",
                        error.message()));
      }
      cgroup = {layout, "", ""};
    }
  }
  rollback.add([&cgroup] { destroy_cgroup(cgroup); });
  cgroup.resctrl = std::move(resctrl);
  delegate_cgroup(cgroup, spec);
}

void ContainerGroup::release() {
  if (scope_) scope_->release();
}

}  // namespace proa::runtime
