// The bridge device of a network, on the host.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "os/ip_address.h"
#include "os/netlink.h"

namespace proa::network {

struct BridgePlan {
  std::string device{};
  std::string alias{};  // marks it as ours
  std::optional<os::IpPrefix> address{}, address6{};
  std::uint32_t mtu = 0;
};
// Makes it, or gives what is missing to the one that is there; returns its index. Throws Conflict if the name belongs
// to something that is no bridge.
int ensure_bridge(os::NetlinkSocket& socket, const BridgePlan& plan);
bool is_there(int index, std::string_view device);                       // a device of that name under that index
void remove_bridge(os::NetlinkSocket& socket, std::string_view device);  // a missing one is no error

// 1 to 15 of the characters that devices and nftables chains may have.
bool is_device_name(std::string_view name);

// net.ipv4.ip_forward, and IPv6's.
bool forwarding_is_on(os::Family family);
// br_netfilter is loaded and takes translation for IPv6 into the bridges: an answer to [::1] then ends there.
bool bridges_translate_ipv6();
void enable_forwarding(os::Family family);

// Writes /proc/sys/net/..., of the calling thread's namespace; a kernel without that setting is no error.
void write_sysctl(std::string_view path, std::string_view value);

}  // namespace proa::network
