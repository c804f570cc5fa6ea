// The mount API of descriptors (Linux 5.2, mount_setattr 5.12): a mount is made detached, then moved to where a
// descriptor points. No path is walked twice.
#pragma once

#include <sys/mount.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "os/fd.h"

namespace proa::os {

using MountParameters = std::vector<std::pair<std::string, std::string>>;  // second "" : a flag

// A new instance of file system `type`, detached. `attributes` are MOUNT_ATTR_*. The error has the kernel's own words.
Fd make_filesystem(std::string_view type, std::string_view source, const MountParameters& parameters,
                   std::uint64_t attributes);

enum class Recursive { No, Yes };
// A detached copy of what is mounted at `path` (relative to dirfd; "" is dirfd itself).
Fd clone_mount(int dirfd, std::string_view path, Recursive recursive);
// The same of what the process `pid` has mounted at the directory `path`, no link followed on the way: asked on a
// throw-away thread in its mount namespace. nullopt: there is no such directory.
std::optional<Fd> clone_mount_inside(pid_t pid, std::string_view path);
// Attaches a detached mount (or moves an attached one) onto the file or directory `target`.
void attach_mount(int mount, int target);

struct MountChange {
  std::uint64_t set = 0, clear = 0;  // MOUNT_ATTR_*
  std::uint64_t propagation = 0;     // MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE; 0: as it is
  int userns = -1;                   // id-mapped by this user namespace
};
void change_mount(int mount, const MountChange& change, Recursive recursive);

// A program file by a detached read-only mount: what is executed from it (by fd_path) cannot be written through
// /proc/PID/exe by those it becomes visible to, root included (CVE-2019-5736). Needs CAP_SYS_ADMIN.
Fd read_only_file(std::string_view path);

// mount(2) with only a propagation flag, on a path of this mount namespace.
void set_propagation(const char* path, unsigned long flags);
void unmount_detach(const char* path);

struct MountInfo {  // a line of /proc/self/mountinfo
  int id = 0, parent = 0;
  std::string root, target, options, type, source, super_options;
  std::vector<std::string> optional_fields;
};
std::vector<MountInfo> parse_mountinfo(std::string_view text);  // pure; octal escapes undone
// Which of them the file behind a descriptor is on; null: none, it is of another namespace.
const MountInfo* find_mount(const std::vector<MountInfo>& mounts, int fd);

}  // namespace proa::os
