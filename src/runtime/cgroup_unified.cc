#include "runtime/cgroup_unified.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "os/file.h"

namespace proa::runtime {
namespace {

std::vector<std::string> words_of(const std::string& file) {
  auto words = split(trim(os::try_read_file(file).value_or("")), ' ');
  std::erase(words, "");
  return words;
}

// One write for all in the usual case; one each where a single one is refused (a realtime process keeps `cpu` back).
void hand_down(const std::string& dir, const std::vector<std::string>& controllers) {
  std::string control = os::path_join(dir, "cgroup.subtree_control");
  auto present = words_of(control);
  std::string missing;
  for (const auto& controller : controllers) {
    if (std::find(present.begin(), present.end(), controller) == present.end()) missing += cat(" +", controller);
  }
  if (missing.empty()) return;
  try {
    os::write_cgroup_file(control, missing.substr(1));
  } catch (const Error&) {
    for (const auto& word : split(missing.substr(1), ' ')) {
      try {
        os::write_cgroup_file(control, word);
      } catch (const Error&) {
        // It has processes of its own (EBUSY) or is not ours.
      }
    }
  }
}

// The host's number of the user and group of the container's first process.
std::uint32_t mapped(const std::vector<oci::IdMapping>& mappings, std::uint32_t id) {
  for (const auto& mapping : mappings) {
    if (id >= mapping.container_id && id - mapping.container_id < mapping.size) {
      return mapping.host_id + (id - mapping.container_id);
    }
  }
  throw Error(ErrorKind::InvalidArgument, cat("user ", id, " of the process is not mapped"));
}

bool has_new_namespace(const oci::Spec& spec, std::string_view type) {
  return std::any_of(spec.linux.namespaces.begin(), spec.linux.namespaces.end(),
                     [&](const auto& item) { return item.type == type && item.path.empty(); });
}

bool mounts_writable_cgroups(const oci::Spec& spec) {
  return std::any_of(spec.mounts.begin(), spec.mounts.end(), [](const oci::Mount& mount) {
    bool read_only = std::find(mount.options.begin(), mount.options.end(), "ro") != mount.options.end();
    return (mount.type == "cgroup" || mount.type == "cgroup2") && !read_only;
  });
}

}  // namespace

void hand_down_controllers(const std::string& root, const std::string& path) {
  auto controllers = words_of(os::path_join(root, "cgroup.controllers"));
  std::string dir = root;
  for (const auto& part : split(path, '/')) {
    if (part.empty()) continue;
    if (dir != root) os::make_dir(dir, 0755);
    hand_down(dir, controllers);
    dir = os::path_join(dir, part);
  }
}

void delegate_cgroup(const CgroupHandle& cgroup, const oci::Spec& spec) {
  if (!cgroup.layout.unified || cgroup.path.empty() || !has_new_namespace(spec, "user")) return;
  if (!has_new_namespace(spec, "cgroup") || !mounts_writable_cgroups(spec)) return;
  auto user = mapped(spec.linux.uid_mappings, spec.process.user.uid);
  std::string dir = os::path_join(cgroup.layout.root, cgroup.path);
  auto give = [&](const std::string& path) {
    if (::lchown(path.c_str(), user, static_cast<gid_t>(-1)) < 0 && errno != ENOENT) os::fail(cat("chown ", path));
  };
  give(dir);
  auto names = os::try_read_file("/sys/kernel/cgroup/delegate")
                   .value_or("cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n");
  for (const auto& name : split(names, '\n')) {
    if (!name.empty()) give(os::path_join(dir, name));
  }
}

}  // namespace proa::runtime
