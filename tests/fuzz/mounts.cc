// One mount: destination, type, source and options, each ended by a zero byte.
#include <sys/mount.h>

#include <string>

#include "base/text.h"
#include "runtime/mount_plan.h"
#include "target.h"

using namespace proa;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto parts = fuzz::parts_of(fuzz::text_of(data, size), 4);
  oci::Mount mount;
  mount.destination = parts[0];
  mount.type = parts[1];
  mount.source = parts[2];
  mount.options = split(parts[3], ',');
  fuzz::answer([&] {
    auto step = runtime::plan_mount(mount, "/bundle");
    // Clean and absolute, so that what is compared with it is what will be mounted on.
    fuzz::demand(step.destination.starts_with('/'));
    for (const auto& name : split(step.destination.substr(1), '/')) {
      fuzz::demand(name != ".." && name != "." && (!name.empty() || step.destination == "/"));
    }
    fuzz::demand(step.kind != runtime::MountKind::Bind || step.source.starts_with('/'));
    // Times of access are a field of several bits, which is cleared before it is set.
    std::uint64_t flags = ~static_cast<std::uint64_t>(MOUNT_ATTR__ATIME);
    fuzz::demand((step.set & step.clear & flags) == 0 && (step.set_all & step.clear_all & flags) == 0);
    runtime::proc_destination_allowed(step.destination);
  });
  fuzz::answer([&] { runtime::rootfs_propagation(parts[3]); });
  return 0;
}
