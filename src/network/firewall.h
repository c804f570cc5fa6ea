// The firewall as one pure function of the networks: an nftables script that replaces our tables atomically.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "network/records.h"
#include "os/nftables.h"

namespace proa::network {

struct FirewallBridge {
  std::string device{};
  std::string subnet{};  // IPv4 CIDR; "" if it has none
  std::string subnet6{};
  bool internal = false, masquerade = true, inter_container = true;
};
struct FirewallPort {
  std::string container_address{};  // IPv4 or IPv6
  PortBinding binding{};
};
struct FirewallInput {
  std::string table = "proa";
  std::vector<FirewallBridge> bridges{};
  std::vector<FirewallPort> ports{};
  // We turned forwarding on (per family): the host does not become everybody's router.
  bool drop_foreign_forwarding = false, drop_foreign_forwarding6 = false;
};
// "table ip NAME { }; delete table ip NAME; table ip NAME { ... }", and the same for ip6 if a bridge has IPv6.
std::string render_firewall(const FirewallInput& input);
std::string render_firewall_removal(std::string_view table);

// The map elements of published ports, for the start path.
std::vector<os::NftElement> port_elements(std::span<const FirewallPort> ports, os::Family family);

}  // namespace proa::network
