#include "runtime/external_mounts.h"

#include <fcntl.h>
#include <sched.h>

#include <algorithm>

#include "base/text.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/rooted_dir.h"
#include "runtime/devices.h"
#include "runtime/mount_plan.h"
#include "runtime/namespaces.h"

namespace proa::runtime {
namespace {

struct External {
  std::string destination, source;  // as the specification has them; the destination is the name, too
  bool recursive = false;
};

std::vector<External> list_externals(const oci::Spec& spec, const std::string& bundle, const CgroupHandle& cgroup) {
  std::vector<External> out;
  for (const auto& step : plan_mounts(spec, bundle)) {
    if (step.kind == MountKind::Bind) out.push_back({step.destination, step.source, step.recursive});
    if (step.kind != MountKind::Cgroup || cgroup.layout.unified) continue;
    for (const auto& hierarchy : cgroup.layout.hierarchies) {
      auto dir = os::path_join(os::path_join(cgroup.layout.root, hierarchy.directory), cgroup.path);
      out.push_back({os::path_join(step.destination, hierarchy.directory), dir, false});
    }
  }
  // In a user namespace devices are the host's, by bind mounts.
  if (!plan_namespaces(spec.linux).own(CLONE_NEWUSER)) return out;
  for (const auto& path : device_paths(spec)) out.push_back({path, path, false});
  return out;
}

std::vector<os::MountInfo> mounts_of(std::string_view process) {
  return os::parse_mountinfo(os::read_file(cat("/proc/", process, "/mountinfo")));
}

// Where the mount at `destination` lies once links on the way are followed; "" where nothing is mounted.
std::string mounted_at(const os::RootedDir& root, const std::vector<os::MountInfo>& mounts, const std::string& path) {
  auto there = root.try_open_at(path, O_PATH);
  if (!there) return "";
  const auto* mount = os::find_mount(mounts, there->get());
  return mount ? mount->target : "";
}

}  // namespace

std::vector<criu::Pair> external_places(const oci::Spec& spec, const CgroupHandle& cgroup, pid_t pid) {
  auto mounts = mounts_of(cat(pid));
  auto root = os::RootedDir::open(cat("/proc/", pid, "/root"));
  std::vector<criu::Pair> out;
  for (const auto& one : list_externals(spec, "/", cgroup)) {
    std::string place = mounted_at(root, mounts, one.destination);
    if (place.empty() || place == "/") continue;
    out.emplace_back(place, one.destination);
    if (!one.recursive) continue;
    for (const auto& mount : mounts) {
      if (mount.target.starts_with(place + "/")) {
        out.emplace_back(mount.target, one.destination + mount.target.substr(place.size()));
      }
    }
  }
  // Of two words on one place the last is of what was mounted there last.
  std::vector<criu::Pair> kept;
  for (auto& one : out) {
    std::erase_if(kept, [&](const criu::Pair& other) { return other.first == one.first; });
    kept.push_back(std::move(one));
  }
  return kept;
}

std::vector<criu::Pair> external_sources(const oci::Spec& spec, const std::string& bundle, const CgroupHandle& cgroup) {
  auto mounts = mounts_of("self");
  std::vector<criu::Pair> out;
  for (const auto& one : list_externals(spec, bundle, cgroup)) {
    out.emplace_back(one.destination, one.source);
    if (!one.recursive) continue;
    std::string source = os::clean_path(one.source);
    for (const auto& mount : mounts) {
      if (mount.target.starts_with(source + "/")) {
        out.emplace_back(one.destination + mount.target.substr(source.size()), mount.target);
      }
    }
  }
  return out;
}

}  // namespace proa::runtime
