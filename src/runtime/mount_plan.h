// What the mounts of config.json mean, decided without touching the system.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "oci/runtime_spec.h"
#include "os/mount.h"

namespace proa::runtime {

enum class MountKind { Filesystem, Bind, Cgroup };
enum class IdMap { None, Top, Tree };  // "idmap", "ridmap"

struct MountStep {
  MountKind kind = MountKind::Filesystem;
  std::string destination;  // clean, absolute, in the container's root
  std::string type, source;
  bool recursive = false;                    // rbind
  std::uint64_t set = 0, clear = 0;          // MOUNT_ATTR_* of the top mount
  std::uint64_t set_all = 0, clear_all = 0;  // of the whole tree ("rro")
  std::uint64_t propagation = 0;             // MS_PRIVATE...; 0: private for binds, none else
  bool propagation_recursive = false;
  bool copy_up = false;  // tmpcopyup
  IdMap id_map = IdMap::None;
  std::vector<oci::IdMapping> uid_mappings, gid_mappings;  // of an id-mapped mount; empty: the container's
  os::MountParameters parameters;                          // for the file system
  std::string label;                                       // where it is no parameter of the file system's
  std::string options;                                     // as written, for explanations
};

// Throws InvalidArgument: a mount without a destination, an option of a bind mount that means nothing, a mapping that
// is not whole. A bind's relative source is relative to `bundle`.
MountStep plan_mount(const oci::Mount& mount, std::string_view bundle = "/");
// With linux.mountLabel for those that take it.
std::vector<MountStep> plan_mounts(const oci::Spec& spec, std::string_view bundle = "/");

void add_label(os::MountParameters& parameters, const std::string& label);  // nothing for ""

// Every option with a meaning of its own, for `features`.
std::vector<std::string> known_mount_options();

// MS_* flags of linux.rootfsPropagation; "" is MS_REC | MS_SLAVE. Throws for anything unknown.
unsigned long rootfs_propagation(std::string_view name);

// Whether something may be mounted at a place inside /proc (security.md row 5). `destination` is clean.
bool proc_destination_allowed(std::string_view destination);

}  // namespace proa::runtime
