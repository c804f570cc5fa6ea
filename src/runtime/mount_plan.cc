#include "runtime/mount_plan.h"

#include <sys/mount.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "os/file.h"

namespace proa::runtime {
namespace {

struct Flag {
  std::string_view name;
  std::uint64_t set, clear;
};
// Attributes of a mount; with an "r" in front they hold for the whole tree.
constexpr std::array<Flag, 18> kAttributes = {{{"ro", MOUNT_ATTR_RDONLY, 0},
                                               {"rw", 0, MOUNT_ATTR_RDONLY},
                                               {"nosuid", MOUNT_ATTR_NOSUID, 0},
                                               {"suid", 0, MOUNT_ATTR_NOSUID},
                                               {"nodev", MOUNT_ATTR_NODEV, 0},
                                               {"dev", 0, MOUNT_ATTR_NODEV},
                                               {"noexec", MOUNT_ATTR_NOEXEC, 0},
                                               {"exec", 0, MOUNT_ATTR_NOEXEC},
                                               {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
                                               {"diratime", 0, MOUNT_ATTR_NODIRATIME},
                                               {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
                                               {"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
                                               {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
                                               {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
                                               {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
                                               {"nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
                                               {"atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
                                               {"norelatime", 0, MOUNT_ATTR__ATIME}}};

struct Propagation {
  std::string_view name;
  unsigned long flag;
};
constexpr std::array<Propagation, 4> kPropagations = {
    {{"private", MS_PRIVATE}, {"slave", MS_SLAVE}, {"shared", MS_SHARED}, {"unbindable", MS_UNBINDABLE}}};

constexpr std::array<std::string_view, 10> kIgnored = {"defaults", "remount", "loud",  "quiet",    "silent",
                                                       "nomand",   "nouser",  "noacl", "iversion", "noiversion"};
// Not attributes but flags of the superblock, which fsconfig knows by these names.
constexpr std::array<std::string_view, 6> kSuperblock = {"sync", "dirsync", "mand", "lazytime", "async", "nolazytime"};
// SELinux labels, which may have commas: mount(2) takes them in quotes, fsconfig as they are.
constexpr std::array<std::string_view, 4> kLabels = {"context", "fscontext", "defcontext", "rootcontext"};

const Flag* find_attribute(std::string_view name) {
  auto found = std::find_if(kAttributes.begin(), kAttributes.end(), [&](const Flag& f) { return f.name == name; });
  return found == kAttributes.end() ? nullptr : &*found;
}

void apply(const Flag& flag, std::uint64_t& set, std::uint64_t& clear) {
  set = (set & ~flag.clear) | flag.set;
  clear = (clear & ~flag.set) | flag.clear;
}

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

void plan_option(MountStep& step, const std::string& option) {
  if (option == "bind" || option == "rbind") {
    step.kind = MountKind::Bind;
    step.recursive = option == "rbind";
    return;
  }
  if (option.empty() || contains(kIgnored, option)) return;
  if (option == "idmap" || option == "ridmap") {
    step.id_map = option == "ridmap" ? IdMap::Tree : IdMap::Top;
    return;
  }
  if (option == "tmpcopyup") {
    step.copy_up = true;
    return;
  }
  if (const Flag* flag = find_attribute(option)) return apply(*flag, step.set, step.clear);
  std::string_view inner = std::string_view(option).substr(1);
  for (const auto& propagation : kPropagations) {
    bool recursive = option[0] == 'r' && inner == propagation.name;
    if (option != propagation.name && !recursive) continue;
    step.propagation = propagation.flag;
    step.propagation_recursive = recursive;
    return;
  }
  if (const Flag* flag = option[0] == 'r' ? find_attribute(inner) : nullptr) {
    return apply(*flag, step.set_all, step.clear_all);
  }
  auto [key, value] = cut(option, '=');
  std::string given(value.value_or(""));
  if (contains(kLabels, key)) std::erase(given, '"');
  step.parameters.emplace_back(key, std::move(given));
}

// linux.mountLabel, for every file system that is made for the container. The kernel labels the files of proc and
// sysfs itself; mqueue is there before it is mounted, so that its directory gets the label afterwards.
void label_step(MountStep& step, const std::string& label) {
  if (label.empty() || step.kind == MountKind::Bind || step.type == "proc" || step.type == "sysfs") return;
  if (step.kind == MountKind::Cgroup || step.type == "mqueue") {
    step.label = label;
  } else {
    add_label(step.parameters, label);
  }
}

}  // namespace

void add_label(os::MountParameters& parameters, const std::string& label) {
  if (!label.empty()) parameters.emplace_back("context", label);
}

MountStep plan_mount(const oci::Mount& mount, std::string_view bundle) {
  MountStep step;
  step.type = mount.type;
  step.source = mount.source;
  if (mount.destination.empty()) throw Error(ErrorKind::InvalidArgument, "a mount has no destination");
  step.destination = os::clean_path(cat("/", mount.destination));
  if (step.destination == "/") throw Error(ErrorKind::InvalidArgument, "a mount on / would hide the container's root");
  step.options = join(mount.options, ",");
  if (mount.uid_mappings.empty() != mount.gid_mappings.empty()) {
    throw Error(ErrorKind::InvalidArgument,
                cat("mount ", step.destination, ": an id-mapped mount needs both uidMappings and gidMappings"));
  }
  step.uid_mappings = mount.uid_mappings;
  step.gid_mappings = mount.gid_mappings;
  if (!mount.uid_mappings.empty()) step.id_map = IdMap::Top;
  if (mount.type == "bind") step.kind = MountKind::Bind;
  for (const auto& option : mount.options) plan_option(step, option);
  if (step.kind != MountKind::Bind) {
    if (step.id_map != IdMap::None) {
      throw Error(ErrorKind::InvalidArgument, cat("mount ", step.destination, ": only a bind mount can be id-mapped"));
    }
    if (mount.type.empty()) throw Error(ErrorKind::InvalidArgument, cat("mount ", step.destination, " has no type"));
    if (mount.type == "cgroup" || mount.type == "cgroup2") step.kind = MountKind::Cgroup;
    return step;
  }
  if (step.source.empty())
    throw Error(ErrorKind::InvalidArgument, cat("bind mount ", step.destination, " has no source"));
  if (!step.source.starts_with('/')) step.source = os::path_join(bundle, step.source);
  for (const auto& [key, value] : step.parameters) {
    if (contains(kSuperblock, key)) continue;
    throw Error(ErrorKind::InvalidArgument,
                cat("bind mount ", step.destination, ": option ", quoted(key), " means nothing"));
  }
  step.parameters.clear();
  return step;
}

std::vector<MountStep> plan_mounts(const oci::Spec& spec, std::string_view bundle) {
  std::vector<MountStep> out;
  out.reserve(spec.mounts.size());
  for (const auto& mount : spec.mounts) {
    out.push_back(plan_mount(mount, bundle));
    label_step(out.back(), spec.linux.mount_label);
  }
  return out;
}

std::vector<std::string> known_mount_options() {
  std::vector<std::string> out{"bind", "rbind", "idmap", "ridmap", "tmpcopyup"};
  for (const auto& flag : kAttributes) {
    out.emplace_back(flag.name);
    out.push_back(cat("r", flag.name));
  }
  for (const auto& propagation : kPropagations) {
    out.emplace_back(propagation.name);
    out.push_back(cat("r", propagation.name));
  }
  out.insert(out.end(), kIgnored.begin(), kIgnored.end());
  out.insert(out.end(), kSuperblock.begin(), kSuperblock.end());
  std::sort(out.begin(), out.end());
  return out;
}

unsigned long rootfs_propagation(std::string_view name) {
  if (name.empty()) return MS_REC | MS_SLAVE;
  for (const auto& propagation : kPropagations) {
    if (name == propagation.name) return propagation.flag;
    if (name.starts_with('r') && name.substr(1) == propagation.name) return propagation.flag | MS_REC;
  }
  throw Error(ErrorKind::InvalidArgument, cat("rootfsPropagation ", quoted(name), " is unknown"));
}

bool proc_destination_allowed(std::string_view destination) {
  if (destination != "/proc" && !destination.starts_with("/proc/")) return true;
  constexpr std::array<std::string_view, 10> kAllowed = {"/proc/cpuinfo",
                                                         "/proc/diskstats",
                                                         "/proc/meminfo",
                                                         "/proc/stat",
                                                         "/proc/swaps",
                                                         "/proc/uptime",
                                                         "/proc/loadavg",
                                                         "/proc/slabinfo",
                                                         "/proc/sys/kernel/ns_last_pid",
                                                         "/proc/sys/crypto/fips_enabled"};
  return contains(kAllowed, destination);
}

}  // namespace proa::runtime
