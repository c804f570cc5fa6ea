// Network namespaces, held by descriptor: nothing is mounted, so nothing can leak.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>

#include "os/fd.h"
#include "os/netlink.h"

namespace proa::os {

struct NewNetns {
  Fd netns;
  std::unique_ptr<NetlinkSocket> route;  // NETLINK_ROUTE, inside
};
// A new namespace, made on a throw-away thread (the caller's is left alone). `inside` runs on that thread once it is
// in the namespace: to open sockets there and to write its sysctls.
NewNetns make_netns(const std::function<void()>& inside = {});

// Runs `inside` in the namespace, on a throw-away thread; what it throws is thrown here.
void in_netns(int netns, const std::function<void()>& inside);

Fd netns_of_process(pid_t pid);  // throws NotFound if the process is gone
Fd current_netns();              // of the calling thread
// The namespaces are the same one.
bool same_netns(int a, int b);

}  // namespace proa::os
