// The embedded DNS server, 127.0.0.11 in every container on a user-defined network: one thread for all of them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "network/names.h"
#include "os/fd.h"
#include "os/netlink.h"

namespace proa::network {

struct DnsSockets {
  os::Fd udp{}, tcp{};
  // Port 53 belongs to the container, which may run a name server: ours have ports of their own, and rules inside the
  // namespace lead 127.0.0.11:53 to them. Kept open, since closing it may wait for an RCU grace period.
  std::unique_ptr<os::NetlinkSocket> rules{};
};
// For the network namespace of the calling thread. They are bound by add(), when its loopback device is up.
DnsSockets open_dns_sockets();

struct DnsClient {  // one sandbox
  std::string container_id{};
  DnsSockets sockets{};
  std::vector<std::string> upstream{};  // resolvers to ask, from the host's namespace
  bool forward = true;                  // false on internal networks: nothing leaves
};

class DnsServer {
 public:
  // The thread starts with the first client.
  DnsServer();
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  void add(DnsClient client);
  void set_forward(std::string_view container_id, bool forward);
  void remove(std::string_view container_id);
  // Runs `change` on the names, with the lock held.
  void with_names(const std::function<void(Names&)>& change);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace proa::network
