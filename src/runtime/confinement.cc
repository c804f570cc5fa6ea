#include "runtime/confinement.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "base/trace.h"
#include "os/file.h"
#include "os/rooted_dir.h"

namespace proa::runtime {

Confinement::Confinement(const oci::Process& process, const SeccompProgram* filter, std::vector<std::string>& warnings)
    : process_(process), filter_(filter), sets_(capability_sets(process.capabilities, warnings)) {
  CapabilitySet possible = sets_.permitted & sets_.inheritable;
  if (sets_.ambient & ~possible) {
    warnings.push_back("ambient capabilities that are not permitted and inheritable were left out");
  }
  sets_.ambient &= possible;
}

void Confinement::become_user() {
  trace::Span span("runtime.capabilities");
  const auto& user = process_.user;
  span.set("uid", user.uid);
  span.set("gid", user.gid);
  std::vector<gid_t> groups(user.additional_gids.begin(), user.additional_gids.end());
  if (std::find(groups.begin(), groups.end(), user.gid) == groups.end()) groups.insert(groups.begin(), user.gid);

  drop_bounding(sets_.bounding);
  os::check(::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "PR_SET_KEEPCAPS");
  if (::setgroups(groups.size(), groups.data()) < 0) {
    // In a user namespace without a gid mapping for them setgroups(2) is denied for everybody.
    int failed = errno;
    auto denied = os::try_read_file("/proc/self/setgroups", 64);
    if (failed != EPERM || !denied || trim(*denied) != "deny") os::fail("setgroups", failed);
    if (!user.additional_gids.empty()) {
      throw Error(ErrorKind::Forbidden, "cannot set any additional groups in a rootless container");
    }
  }
  os::check(::setresgid(user.gid, user.gid, user.gid), "setgid");
  os::check(::setresuid(user.uid, user.uid, user.uid), "setuid");
  os::check(::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0), "PR_SET_KEEPCAPS");
  ::umask(user.umask.value_or(0022) & 0777);

  // Without no_new_privs loading a filter needs CAP_SYS_ADMIN: kept until seal(), for nothing else.
  CapabilitySet have = permitted_now();
  CapabilitySet keep = filter_ && !process_.no_new_privileges ? have & bit(kCapSysAdmin) : 0;
  CapabilitySet permitted = sets_.permitted & have;
  set_capabilities((sets_.effective & permitted) | keep, permitted | keep, sets_.inheritable & sets_.bounding);
  if (sets_.ambient != 0) raise_ambient(sets_.ambient);
  std::string names;
  for (int number = 0; number < 64; ++number) {
    if (permitted & bit(number)) names += cat(names.empty() ? "" : " ", capability_name(number));
  }
  span.set("permitted", names);
  if (process_.no_new_privileges) os::check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS");
}

int Confinement::seal() {
  if (!filter_) return -1;
  int listener = load_seccomp(*filter_);
  if (process_.no_new_privileges) return listener;
  CapabilitySet permitted = permitted_now();
  if (!(sets_.permitted & bit(kCapSysAdmin))) permitted &= ~bit(kCapSysAdmin);
  set_capabilities(sets_.effective & permitted, permitted, sets_.inheritable & sets_.bounding);
  return listener;
}

void enter_directory(const std::string& path) {
  // Not through /proc/self/fd and the like: what we have open is nothing for the container (CVE-2024-21626).
  in_context(cat("chdir to cwd (", quoted(path), ") set in config.json failed"), [&] {
    auto directory = os::RootedDir::open("/").try_open_at(path, O_PATH | O_DIRECTORY);
    if (!directory) throw Error(ErrorKind::NotFound, os::errno_text(ENOENT), ENOENT);
    os::check(::fchdir(directory->get()), "chdir");
  });
  // A directory outside of the root has no path in it: the kernel answers "(unreachable)..." or ENOENT.
  char where[4096];
  auto* found = ::getcwd(where, sizeof where);
  if (!found || where[0] != '/') {
    throw Error(ErrorKind::Forbidden, "current working directory is outside of container mount namespace root");
  }
}

}  // namespace proa::runtime
