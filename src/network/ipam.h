// Address management, pure: which subnet a new network gets, and which address a new endpoint.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "network/records.h"
#include "os/ip_address.h"

namespace proa::network {

struct PoolBase {  // "172.17.0.0/16:16" is one /16; "192.168.0.0/16:20" is sixteen /20
  os::IpPrefix base;
  int size = 0;
};
std::vector<PoolBase> default_pools();  // docker's
// Throws InvalidArgument.
PoolBase parse_pool(std::string_view text);

// The first subnet of the pools that overlaps none of `taken`. Throws when all are used.
os::IpPrefix choose_subnet(std::span<const PoolBase> pools, std::span<const os::IpPrefix> taken);
// A unique local /64 made of the network's id (RFC 4193).
os::IpPrefix choose_ipv6_subnet(std::string_view network_id);

// docker's checks of a network's IPAM section; throws InvalidArgument with its text.
void check_ipam(const NetworkSpec& spec);

struct SubnetStatus {
  std::uint64_t in_use = 0;     // addresses of the subnet that are taken or reserved
  std::uint64_t available = 0;  // free ones of the range addresses are chosen from; saturates at UINT64_MAX
};

// The addresses of one subnet. The lowest free one is next, as with docker: a restarted container finds its own again.
class AddressPool {
 public:
  // Fills in the gateway (the first usable address) where `pool.gateway` is empty.
  explicit AddressPool(const IpamPool& pool);

  const os::IpPrefix& subnet() const { return subnet_; }
  const os::IpAddress& gateway() const { return gateway_; }
  std::optional<os::IpAddress> take();      // nullopt: all are in use
  bool take(const os::IpAddress& address);  // false: in use, or reserved
  void give_back(const os::IpAddress& address);
  std::size_t in_use() const { return used_.size(); }
  SubnetStatus status() const;

 private:
  bool usable(const os::IpAddress& address) const;
  os::IpPrefix subnet_;
  os::IpAddress gateway_;
  os::IpAddress first_, last_;  // the range addresses are chosen from
  std::set<os::IpAddress> reserved_, used_;
};

// 02:42:ac:11:00:02 for 172.17.0.2, as docker makes it; a random one for an IPv6 address.
os::MacAddress mac_for(const os::IpAddress& address);

}  // namespace proa::network
