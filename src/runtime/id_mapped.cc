#include "runtime/id_mapped.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/rollback.h"
#include "base/text.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/syscalls.h"
#include "runtime/child.h"
#include "runtime/namespaces.h"

namespace proa::runtime {
namespace {

// A user namespace needs a process to come into being; its descriptor then holds it.
os::Fd make_user_namespace(const std::vector<oci::IdMapping>& uids, const std::vector<oci::IdMapping>& gids) {
  auto holder = os::clone_process(CLONE_NEWUSER);
  if (holder.pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (;;) ::pause();
  }
  Rollback end;  // whatever comes, it ends
  end.add([&] { discard_child(holder.pidfd); });
  write_id_maps(holder.pid, uids, gids);
  return os::open_file(cat("/proc/", holder.pid, "/ns/user"), O_RDONLY);
}

os::Fd user_namespace_of(const MountStep& step, const oci::Linux& linux) {
  if (!step.uid_mappings.empty()) return make_user_namespace(step.uid_mappings, step.gid_mappings);
  for (const auto& space : linux.namespaces) {
    if (space.type == "user" && !space.path.empty()) return open_namespace(space.path);
  }
  if (linux.uid_mappings.empty() || linux.gid_mappings.empty()) {
    throw Error(ErrorKind::InvalidArgument,
                cat("mount ", step.destination, ": id-mapped, but neither it nor the container has mappings"));
  }
  return make_user_namespace(linux.uid_mappings, linux.gid_mappings);
}

os::Fd open_one(const MountStep& step, const oci::Linux& linux) {
  os::Fd owner = user_namespace_of(step, linux);
  os::Fd mount = os::clone_mount(AT_FDCWD, step.source, step.recursive ? os::Recursive::Yes : os::Recursive::No);
  try {
    os::change_mount(mount.get(), {.userns = owner.get()},
                     step.id_map == IdMap::Tree ? os::Recursive::Yes : os::Recursive::No);
  } catch (const Error& error) {
    if (error.errno_code() != EINVAL) throw;
    throw Error(ErrorKind::InvalidArgument, cat("mount ", step.destination, ": the file system of ", step.source,
                                                " (or one mounted below it) cannot be id-mapped"));
  }
  return mount;
}

}  // namespace

std::map<std::size_t, os::Fd> open_id_mapped(const std::vector<MountStep>& mounts, const oci::Linux& linux) {
  std::map<std::size_t, os::Fd> out;
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    if (mounts[i].id_map != IdMap::None) out.emplace(i, open_one(mounts[i], linux));
  }
  return out;
}

}  // namespace proa::runtime
