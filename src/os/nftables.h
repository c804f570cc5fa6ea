// nftables: whole scripts by nft(8), and single map elements by netlink on the start path.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "os/netlink.h"

namespace proa::os {

// One atomic transaction of nft's text grammar, by `nft -f -` (about 3 ms). Throws with what nft says.
void nft_apply(std::string_view script);
// The output of `nft ARGUMENTS...`, as in nft_query({"list", "table", "ip", "proa"}). Throws.
std::string nft_query(const std::vector<std::string>& arguments);

// An element of a map. Every field of a concatenation is padded to four bytes (concatenated()).
struct NftElement {
  std::string map{};
  std::string key{}, data{};  // raw bytes as the kernel holds them; data empty for a set
};
std::string nft_field(std::string_view bytes);  // padded with zeros to a multiple of four
std::string nft_port(std::uint16_t port);       // one padded field
std::string nft_protocol(std::uint8_t protocol);
std::string nft_address(const IpAddress& address);

enum class NftChange { Add, Remove };
// All of it or nothing, in about 10 microseconds. An element that exists (Add) or is missing (Remove) is an Error.
// `socket` was opened with NETLINK_NETFILTER. Family: ip or ip6.
void nft_change(NetlinkSocket& socket, Family family, std::string_view table, NftChange change,
                std::span<const NftElement> elements);

// In the namespace of `socket`: what its processes send to address:from goes to address:to, and answers come back as if
// from address:from. Stateless, without connection tracking; a table of that name is replaced.
struct NftPortShift {
  std::uint8_t protocol;  // IPPROTO_TCP or IPPROTO_UDP
  IpAddress address;      // IPv4
  std::uint16_t from = 0, to = 0;
};
void nft_shift_ports(NetlinkSocket& socket, std::string_view table, std::span<const NftPortShift> shifts);

}  // namespace proa::os
