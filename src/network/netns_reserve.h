// New network namespaces with docker's default settings in them; one is kept ready, so that a start need not wait for
// the kernel to make it.
#pragma once

#include <mutex>
#include <optional>

#include "network/dns.h"
#include "os/netns.h"

namespace proa::network {

class NetnsReserve {
 public:
  struct Opened {
    os::NewNetns made;
    DnsSockets dns;  // open where the container is on a user-defined network
  };
  // `lo` is up. Without `ipv6`, interfaces are born without IPv6.
  Opened take(bool ipv6, bool embedded_dns);
  // Off the path of a start.
  void refill();

 private:
  std::mutex mutex_;  // held while the spare is made: two would be one too many
  std::optional<os::NewNetns> spare_;
};

}  // namespace proa::network
