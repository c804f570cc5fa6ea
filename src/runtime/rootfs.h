// CHILD: the container's root, built out of detached mounts, each moved to a place opened inside the root.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "oci/runtime_spec.h"
#include "os/fd.h"
#include "os/rooted_dir.h"
#include "runtime/cgroup.h"
#include "runtime/mount_plan.h"

namespace proa::runtime {

// The propagation of this mount namespace.
void set_host_propagation(const oci::Spec& spec);

// Binds of the host's whole "/", by their place in `steps`: cloned before the container's root lies over it, which
// would be what they show.
std::map<std::size_t, os::Fd> clone_host_root(const std::vector<MountStep>& steps);

// Attaches the root. `detached` is a mount made elsewhere; without
// it the tree at `path` is cloned. It lies over "/" without being reached by absolute paths: the host's paths still
// work until pivot_into.
os::RootedDir attach_root(const std::optional<os::Fd>& detached, const std::string& path);

// `prepared`: the detached mount to bind instead of the step's source.
void apply_mount(const os::RootedDir& root, const MountStep& step, const CgroupHandle& cgroup, const os::Fd* prepared);

// The place of a mount: made, as a directory or a file, where there is none, with links followed inside the root.
os::Fd open_destination(const os::RootedDir& root, const std::string& path, bool directory);

// The old root is gone afterwards (of this namespace alone); "/" and the working directory are the container's.
void pivot_into(const os::RootedDir& root, const oci::Spec& spec, bool no_pivot);

// Paths of the specification are data of the container: resolved inside the root. A missing one is no error, any
// other failure is (security.md R5).
void mask_paths(const os::RootedDir& root, const std::vector<std::string>& paths, const std::string& label);
void make_readonly(const os::RootedDir& root, const std::vector<std::string>& paths);
void make_root_readonly(const os::RootedDir& root);

}  // namespace proa::runtime
