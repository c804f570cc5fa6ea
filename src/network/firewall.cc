#include "network/firewall.h"

#include <netinet/in.h>

#include <algorithm>

#include "base/text.h"

namespace proa::network {
namespace {

std::uint8_t protocol_number(std::string_view protocol) {
  if (protocol == "tcp") return IPPROTO_TCP;
  if (protocol == "udp") return IPPROTO_UDP;
  if (protocol == "sctp") return IPPROTO_SCTP;
  throw Error(ErrorKind::InvalidArgument, cat("invalid proto: ", protocol));
}

bool is_any(std::string_view address) { return address == "0.0.0.0" || address == "::"; }
bool is_family(std::string_view address, os::Family family) {
  return !address.empty() && (address.find(':') == std::string_view::npos) == (family == os::Family::V4);
}

struct Words {  // what differs between the two families
  os::Family family;
  std::string_view table, address_type, loopback;
};
constexpr Words kV4{os::Family::V4, "ip", "ipv4_addr", "127.0.0.0/8"};
constexpr Words kV6{os::Family::V6, "ip6", "ipv6_addr", "::1"};

std::string_view subnet_of(const FirewallBridge& bridge, const Words& words) {
  return words.family == os::Family::V4 ? bridge.subnet : bridge.subnet6;
}

std::string element_text(const FirewallPort& port) {
  const PortBinding& binding = port.binding;
  std::string key = is_any(binding.host_ip) ? cat(binding.protocol, " . ", binding.host_port)
                                            : cat(binding.protocol, " . ", binding.host_ip, " . ", binding.host_port);
  return cat(key, " : ", port.container_address, " . ", binding.container_port);
}

void render_map(std::string& out, std::string_view name, std::string_view type, std::vector<std::string> elements) {
  std::sort(elements.begin(), elements.end());
  out += cat("\tmap ", name, " {\n\t\ttype ", type, "\n");
  if (!elements.empty()) out += cat("\t\telements = {\n\t\t\t", join(elements, ",\n\t\t\t"), "\n\t\t}\n");
  out += "\t}\n";
}

void render_ports(std::string& out, const FirewallInput& input, const Words& words) {
  std::vector<std::string> any, addressed;
  for (const FirewallPort& port : input.ports) {
    if (!is_family(port.container_address, words.family)) continue;
    (is_any(port.binding.host_ip) ? any : addressed).push_back(element_text(port));
  }
  std::string_view a = words.address_type;
  render_map(out, "ports_addr", cat("inet_proto . ", a, " . inet_service : ", a, " . inet_service"), addressed);
  render_map(out, "ports_any", cat("inet_proto . inet_service : ", a, " . inet_service"), any);
}

void render_nat(std::string& out, const std::vector<FirewallBridge>& bridges, const Words& words) {
  out += cat("\tchain published {\n\t\tdnat ", words.table, " to meta l4proto . ", words.table,
             " daddr . th dport map @ports_addr\n", "\t\tdnat ", words.table,
             " to meta l4proto . th dport map @ports_any\n\t}\n");
  // Only what is addressed to this host: transit traffic with the same port passes (CVE-2025-67499).
  out +=
      "\tchain nat_prerouting {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n\t\tfib daddr type "
      "local jump published\n\t}\n";
  out +=
      "\tchain nat_output {\n\t\ttype nat hook output priority -100; policy accept;\n\t\tfib daddr type local jump "
      "published\n\t}\n";
  out += "\tchain nat_postrouting {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n";
  for (const FirewallBridge& bridge : bridges) {
    // From 127.0.0.1 of the host, and from a neighbour by way of the host's address: the answer must come back here.
    out += cat("\t\toifname \"", bridge.device, "\" ", words.table, " saddr ", words.loopback, " masquerade\n");
    out += cat("\t\toifname \"", bridge.device, "\" ", words.table, " saddr ", subnet_of(bridge, words),
               " ct status dnat masquerade\n");
    if (bridge.masquerade && !bridge.internal) {
      out += cat("\t\toifname != \"", bridge.device, "\" ", words.table, " saddr ", subnet_of(bridge, words),
                 " masquerade\n");
    }
  }
  out += "\t}\n";
}

void render_raw(std::string& out, const Words& words) {
  // The bridges have route_localnet, so that 127.0.0.1:PORT reaches a container: nobody but this host may use or
  // pretend such addresses (CVE-2020-8558). Before conntrack: answers to masqueraded loopback traffic are not hit.
  out += cat("\tchain raw_prerouting {\n\t\ttype filter hook prerouting priority raw; policy accept;\n",
             "\t\tiifname != \"lo\" ", words.table, " daddr ", words.loopback, " drop\n", "\t\tiifname != \"lo\" ",
             words.table, " saddr ", words.loopback, " drop\n\t}\n");
}

void render_forward(std::string& out, const FirewallInput& input, const std::vector<FirewallBridge>& bridges,
                    const Words& words) {
  std::vector<std::string> names, jumps;
  for (const FirewallBridge& bridge : bridges) {
    names.push_back(cat("\"", bridge.device, "\""));
    jumps.push_back(cat("\"", bridge.device, "\" : jump to_", bridge.device));
    out += cat("\tchain to_", bridge.device, " {\n");
    out +=
        cat("\t\tiifname \"", bridge.device, "\" ", bridge.inter_container ? "accept" : "ct status dnat accept", "\n");
    // Published ports came through DNAT; all else from outside is dropped, also what was routed here directly.
    if (!bridge.internal) out += "\t\tct status dnat accept\n";
    out += "\t\tdrop\n\t}\n";
  }
  out += "\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n";
  for (const FirewallBridge& bridge : bridges) {
    if (bridge.internal) out += cat("\t\tiifname \"", bridge.device, "\" oifname != \"", bridge.device, "\" drop\n");
  }
  out += "\t\tct state established,related accept\n";
  if (!jumps.empty()) out += cat("\t\toifname vmap { ", join(jumps, ", "), " }\n");
  if (words.family == os::Family::V4 ? input.drop_foreign_forwarding : input.drop_foreign_forwarding6) {
    out += names.empty()
               ? "\t\tdrop\n"
               : cat("\t\tiifname != { ", join(names, ", "), " } oifname != { ", join(names, ", "), " } drop\n");
  }
  out += "\t}\n";
}

void render_table(std::string& out, const FirewallInput& input, const Words& words) {
  std::vector<FirewallBridge> bridges;
  for (const FirewallBridge& bridge : input.bridges) {
    if (!subnet_of(bridge, words).empty()) bridges.push_back(bridge);
  }
  std::sort(bridges.begin(), bridges.end(), [](const auto& a, const auto& b) { return a.device < b.device; });
  out += cat("table ", words.table, " ", input.table, " {\n");
  render_ports(out, input, words);
  render_raw(out, words);
  render_nat(out, bridges, words);
  render_forward(out, input, bridges, words);
  out += "}\n";
}

// Whether or not the table exists: declared first, then deleted.
std::string forget(std::string_view family, std::string_view table) {
  return cat("table ", family, " ", table, " { }\ndelete table ", family, " ", table, "\n");
}

}  // namespace

std::string render_firewall(const FirewallInput& input) {
  std::string out = forget("ip", input.table) + forget("ip6", input.table);
  render_table(out, input, kV4);
  bool ipv6 = std::any_of(input.bridges.begin(), input.bridges.end(),
                          [](const auto& bridge) { return !bridge.subnet6.empty(); });
  if (ipv6) render_table(out, input, kV6);
  return out;
}

std::string render_firewall_removal(std::string_view table) { return forget("ip", table) + forget("ip6", table); }

std::vector<os::NftElement> port_elements(std::span<const FirewallPort> ports, os::Family family) {
  std::vector<os::NftElement> any, addressed;
  for (const FirewallPort& port : ports) {
    if (!is_family(port.container_address, family)) continue;
    const PortBinding& binding = port.binding;
    os::NftElement element;
    element.key = os::nft_protocol(protocol_number(binding.protocol));
    bool everywhere = is_any(binding.host_ip);
    if (!everywhere) element.key += os::nft_address(os::IpAddress::parse(binding.host_ip).value());
    element.key += os::nft_port(binding.host_port);
    element.data =
        os::nft_address(os::IpAddress::parse(port.container_address).value()) + os::nft_port(binding.container_port);
    element.map = everywhere ? "ports_any" : "ports_addr";
    (everywhere ? any : addressed).push_back(std::move(element));
  }
  any.insert(any.end(), addressed.begin(), addressed.end());
  return any;
}

}  // namespace proa::network
