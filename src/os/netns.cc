#include "os/netns.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/text.h"
#include "os/file.h"
#include "os/own_thread.h"

namespace proa::os {
NewNetns make_netns(const std::function<void()>& inside) {
  NewNetns made;
  on_own_thread([&] {
    check(::unshare(CLONE_NEWNET), "unshare network namespace");
    made.netns = current_netns();
    made.route = std::make_unique<NetlinkSocket>(NETLINK_ROUTE);
    if (inside) inside();
  });
  return made;
}

void in_netns(int netns, const std::function<void()>& inside) {
  on_own_thread([&] {
    check(::setns(netns, CLONE_NEWNET), "enter network namespace");
    inside();
  });
}

Fd netns_of_process(pid_t pid) { return open_file(cat("/proc/", pid, "/ns/net"), O_RDONLY); }

Fd current_netns() { return open_file("/proc/thread-self/ns/net", O_RDONLY); }

bool same_netns(int a, int b) {
  struct stat first {
  }, second{};
  check(::fstat(a, &first), "fstat network namespace");
  check(::fstat(b, &second), "fstat network namespace");
  return first.st_ino == second.st_ino && first.st_dev == second.st_dev;
}

}  // namespace proa::os
