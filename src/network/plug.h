// A container's interface: a veth from its bridge into its namespace, with address and route.
#pragma once

#include <optional>
#include <string>

#include "os/ip_address.h"
#include "os/netlink.h"

namespace proa::network {

struct PlugPlan {
  std::string host_link{}, bridge{}, interface {};
  int bridge_index = 0;
  bool hairpin = false, isolated = false;
  os::MacAddress mac{};
  std::optional<os::IpPrefix> address{}, address6{};
  std::optional<os::IpAddress> gateway{}, gateway6{};  // set: the default route goes there
  std::uint32_t mtu = 0;
};

// A few sendmsg: the pair, its peer born inside `netns` under its final name; `lo` and the interface with its address
// and route; and a last one after which packets pass. Nothing in it waits for an RCU grace period. Returns the
// interface's index inside.
int plug(os::NetlinkSocket& host, int netns, os::NetlinkSocket& inside, const PlugPlan& plan);

// "vproa" and 8 hex digits: the names by which recover() knows its own.
std::string new_host_link();
inline constexpr std::string_view kHostLinkPrefix = "vproa";

}  // namespace proa::network
