// config.json: what is read is written the same again, and all that is decided from it is decided without harm.
#include <string>

#include "base/json.h"
#include "oci/runtime_spec.h"
#include "runtime/cgroup_plan.h"
#include "runtime/device_filter.h"
#include "runtime/mount_plan.h"
#include "runtime/namespaces.h"
#include "runtime/seccomp.h"
#include "runtime/spec_check.h"
#include "runtime/systemd_scope.h"
#include "runtime/unit_properties.h"
#include "target.h"

using namespace proa;

namespace {

void decide(const oci::Spec& spec) {
  fuzz::answer([&] { runtime::check_spec(spec, false); });
  fuzz::answer([&] { runtime::plan_namespaces(spec.linux); });
  fuzz::answer([&] { runtime::plan_mounts(spec, "/bundle"); });
  fuzz::answer([&] { runtime::rootfs_propagation(spec.linux.rootfs_propagation); });
  fuzz::answer([&] { runtime::plan_scope(spec.linux.cgroups_path, "id"); });
  fuzz::answer([&] { runtime::annotated_properties(spec.annotations); });
  if (spec.linux.seccomp) fuzz::answer([&] { runtime::compile_seccomp(*spec.linux.seccomp); });
  if (!spec.linux.resources) return;
  const auto& resources = *spec.linux.resources;
  for (auto version : {runtime::CgroupVersion::One, runtime::CgroupVersion::Two}) {
    fuzz::answer([&] {
      for (const auto& write : runtime::plan_cgroup(resources, version)) {
        fuzz::demand(write.file.find('/') == std::string::npos);
      }
    });
  }
  fuzz::answer([&] { runtime::compile_device_filter(runtime::effective_device_rules(resources.devices)); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::answer([&] {
    oci::Spec spec = oci::spec_from_json(json::parse(fuzz::text_of(data, size)));
    std::string once = json::text(oci::to_json(spec));
    fuzz::demand(json::text(oci::to_json(oci::spec_from_json(json::parse(once)))) == once);
    decide(spec);
  });
  return 0;
}
