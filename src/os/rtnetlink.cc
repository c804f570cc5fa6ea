// The requests and questions of os/netlink.h.
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if_arp.h>
#include <sys/socket.h>

#include <cstring>

#include "base/text.h"
#include "os/netlink.h"

namespace proa::os {
namespace {

ifinfomsg link_header(int index, unsigned flags, unsigned change) {
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = index;
  header.ifi_flags = flags;
  header.ifi_change = change;
  return header;
}

unsigned char family_number(Family family) { return family == Family::V4 ? AF_INET : AF_INET6; }

// Calls each(type, payload) for the attributes of a message behind its fixed header.
template <class Each>
void each_attribute(std::span<const char> bytes, std::size_t header_size, Each&& each) {
  std::size_t at = (header_size + 3) & ~std::size_t{3};
  while (at + sizeof(nlattr) <= bytes.size()) {
    nlattr attribute;
    std::memcpy(&attribute, bytes.data() + at, sizeof attribute);
    if (attribute.nla_len < sizeof attribute || at + attribute.nla_len > bytes.size()) return;
    each(static_cast<std::uint16_t>(attribute.nla_type & NLA_TYPE_MASK),
         bytes.subspan(at + sizeof attribute, attribute.nla_len - sizeof attribute));
    at += (attribute.nla_len + 3) & ~3;
  }
}

template <class Value>
Value read_value(std::span<const char> bytes) {
  Value value{};
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
  return value;
}

std::string read_text(std::span<const char> bytes) {
  return std::string(bytes.data(), strnlen(bytes.data(), bytes.size()));
}

std::optional<IpAddress> read_address(unsigned char family, std::span<const char> bytes) {
  if (family == AF_INET && bytes.size() == 4) return IpAddress::from_bytes(Family::V4, bytes.data());
  if (family == AF_INET6 && bytes.size() == 16) return IpAddress::from_bytes(Family::V6, bytes.data());
  return std::nullopt;
}

void address_message(NetlinkBatch& batch, std::uint16_t type, std::uint16_t flags, int index, const IpPrefix& prefix,
                     std::string_view what) {
  batch.begin(type, flags, cat(what, " ", prefix.text()));
  ifaddrmsg header{};
  header.ifa_family = family_number(prefix.address.family());
  header.ifa_prefixlen = static_cast<unsigned char>(prefix.length);
  header.ifa_index = static_cast<unsigned>(index);
  // Duplicate address detection would keep an IPv6 address unusable for a second; the pool already knows it is free.
  if (!prefix.address.is_v4()) header.ifa_flags = IFA_F_NODAD;
  batch.header(header);
  batch.attribute_address(IFA_LOCAL, prefix.address);
  batch.attribute_address(IFA_ADDRESS, prefix.address);
  if (prefix.address.is_v4() && prefix.length < 31 && type == RTM_NEWADDR)
    batch.attribute_address(IFA_BROADCAST, prefix.last());
  batch.end();
}

rtmsg route_header(Family family, int prefix_length) {
  rtmsg header{};
  header.rtm_family = family_number(family);
  header.rtm_dst_len = static_cast<unsigned char>(prefix_length);
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_BOOT;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  return header;
}

}  // namespace

void add_bridge(NetlinkBatch& batch, const BridgeLink& bridge) {
  batch.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, cat("create bridge ", bridge.name));
  batch.header(link_header(0, 0, 0));
  batch.attribute(IFLA_IFNAME, bridge.name);
  if (bridge.mac != MacAddress{}) batch.attribute(IFLA_ADDRESS, bridge.mac.data(), bridge.mac.size());
  if (bridge.mtu != 0) batch.attribute_u32(IFLA_MTU, bridge.mtu);
  std::size_t info = batch.nest(IFLA_LINKINFO);
  batch.attribute(IFLA_INFO_KIND, "bridge");
  batch.end_nest(info);
  batch.end();
}

void add_veth(NetlinkBatch& batch, const VethLink& veth) {
  batch.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, cat("create veth ", veth.name));
  batch.header(link_header(0, 0, 0));
  batch.attribute(IFLA_IFNAME, veth.name);
  if (veth.mtu != 0) batch.attribute_u32(IFLA_MTU, veth.mtu);
  if (veth.bridge != 0) batch.attribute_u32(IFLA_MASTER, static_cast<std::uint32_t>(veth.bridge));
  std::size_t info = batch.nest(IFLA_LINKINFO);
  batch.attribute(IFLA_INFO_KIND, "veth");
  std::size_t data = batch.nest(IFLA_INFO_DATA);
  std::size_t peer = batch.nest(VETH_INFO_PEER);
  // Down: with IFF_UP here the kernel answers ENOTCONN, since its other end is not up yet.
  batch.header(link_header(0, 0, 0));
  batch.attribute(IFLA_IFNAME, veth.peer_name);
  if (veth.mtu != 0) batch.attribute_u32(IFLA_MTU, veth.mtu);
  if (veth.peer_mac != MacAddress{}) batch.attribute(IFLA_ADDRESS, veth.peer_mac.data(), veth.peer_mac.size());
  if (veth.peer_netns >= 0) batch.attribute_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(veth.peer_netns));
  batch.end_nest(peer);
  batch.end_nest(data);
  batch.end_nest(info);
  batch.end();
}

void set_bridge_port_up(NetlinkBatch& batch, const BridgePort& port) {
  batch.begin(RTM_NEWLINK, 0, cat("set ", port.name, " up"));
  batch.header(link_header(0, IFF_UP, IFF_UP));
  batch.attribute(IFLA_IFNAME, port.name);
  std::size_t families = batch.nest(IFLA_AF_SPEC);
  std::size_t inet6 = batch.nest(AF_INET6);
  batch.attribute_u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  batch.end_nest(inet6);
  batch.end_nest(families);
  if (port.hairpin || port.isolated) {
    std::size_t info = batch.nest(IFLA_LINKINFO);
    batch.attribute(IFLA_INFO_SLAVE_KIND, "bridge");
    std::size_t data = batch.nest(IFLA_INFO_SLAVE_DATA);
    if (port.hairpin) batch.attribute_u8(IFLA_BRPORT_MODE, 1);
    if (port.isolated) batch.attribute_u8(IFLA_BRPORT_ISOLATED, 1);
    batch.end_nest(data);
    batch.end_nest(info);
  }
  batch.end();
}

void set_link_bridge(NetlinkBatch& batch, std::string_view name, int bridge) {
  batch.begin(RTM_NEWLINK, 0, cat("make ", name, " a port of link ", bridge));
  batch.header(link_header(0, 0, 0));
  batch.attribute(IFLA_IFNAME, name);
  batch.attribute_u32(IFLA_MASTER, static_cast<std::uint32_t>(bridge));
  batch.end();
}

void set_link_up(NetlinkBatch& batch, int index) {
  batch.begin(RTM_NEWLINK, 0, cat("set link ", index, " up"));
  batch.header(link_header(index, IFF_UP, IFF_UP));
  batch.end();
}

void set_link_up(NetlinkBatch& batch, std::string_view name) {
  batch.begin(RTM_NEWLINK, 0, cat("set ", name, " up"));
  batch.header(link_header(0, IFF_UP, IFF_UP));
  batch.attribute(IFLA_IFNAME, name);
  batch.end();
}

void settle_link(NetlinkBatch& batch, std::string_view name) {
  batch.begin(RTM_GETLINK, 0, cat("ask for ", name));  // rtnl_getlink() calls linkwatch_sync_dev()
  batch.header(link_header(0, 0, 0));
  batch.attribute(IFLA_IFNAME, name);
  batch.attribute_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  batch.end();
}

void rename_link(NetlinkBatch& batch, int index, std::string_view name) {
  batch.begin(RTM_NEWLINK, 0, cat("rename link ", index, " to ", name));
  batch.header(link_header(index, 0, 0));
  batch.attribute(IFLA_IFNAME, name);
  batch.end();
}

void move_link(NetlinkBatch& batch, int index, int netns, std::string_view name) {
  batch.begin(RTM_NEWLINK, 0, cat("move link ", index, " to another network namespace as ", name));
  batch.header(link_header(index, 0, 0));
  batch.attribute_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns));
  batch.attribute(IFLA_IFNAME, name);
  batch.end();
}

void set_link_alias(NetlinkBatch& batch, std::string_view name, std::string_view alias) {
  batch.begin(RTM_NEWLINK, 0, cat("set alias of ", name));
  batch.header(link_header(0, 0, 0));
  batch.attribute(IFLA_IFNAME, name);
  batch.attribute(IFLA_IFALIAS, alias.data(), alias.size());
  batch.end();
}

void delete_link(NetlinkBatch& batch, std::string_view name) {
  batch.begin(RTM_DELLINK, 0, cat("delete ", name));
  batch.header(link_header(0, 0, 0));
  batch.attribute(IFLA_IFNAME, name);
  batch.end();
}

void add_address(NetlinkBatch& batch, int index, const IpPrefix& address) {
  address_message(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, address, "add address");
}

void delete_address(NetlinkBatch& batch, int index, const IpPrefix& address) {
  address_message(batch, RTM_DELADDR, 0, index, address, "delete address");
}

void add_default_route(NetlinkBatch& batch, const IpAddress& gateway, int index) {
  batch.begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, cat("add default route by ", gateway.text()));
  batch.header(route_header(gateway.family(), 0));
  batch.attribute_address(RTA_GATEWAY, gateway);
  batch.attribute_u32(RTA_OIF, static_cast<std::uint32_t>(index));
  batch.end();
}

void delete_default_route(NetlinkBatch& batch, Family family) {
  batch.begin(RTM_DELROUTE, 0, "delete default route");
  rtmsg header = route_header(family, 0);
  header.rtm_protocol = RTPROT_UNSPEC;
  header.rtm_scope = RT_SCOPE_NOWHERE;
  batch.header(header);
  batch.end();
}

void add_local_route(NetlinkBatch& batch, const IpAddress& address, int index) {
  constexpr std::uint32_t kLast = 1 << 16;
  batch.begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, cat("add local route to ", address.text()));
  rtmsg header = route_header(address.family(), address.bits());
  header.rtm_table = RT_TABLE_LOCAL;
  header.rtm_type = RTN_LOCAL;
  header.rtm_scope = RT_SCOPE_HOST;
  batch.header(header);
  batch.attribute_address(RTA_DST, address);
  batch.attribute_u32(RTA_OIF, static_cast<std::uint32_t>(index));
  batch.attribute_u32(RTA_PRIORITY, kLast + static_cast<std::uint32_t>(index));  // one for each interface
  batch.end();
}

void add_route(NetlinkBatch& batch, const IpPrefix& destination, const std::optional<IpAddress>& gateway, int index) {
  batch.begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, cat("add route to ", destination.text()));
  rtmsg header = route_header(destination.address.family(), destination.length);
  if (!gateway) header.rtm_scope = RT_SCOPE_LINK;
  batch.header(header);
  batch.attribute_address(RTA_DST, destination.masked().address);
  if (gateway) batch.attribute_address(RTA_GATEWAY, *gateway);
  batch.attribute_u32(RTA_OIF, static_cast<std::uint32_t>(index));
  batch.end();
}

namespace {

Link read_link(std::span<const char> bytes) {
  auto header = read_value<ifinfomsg>(bytes);
  Link link;
  link.index = header.ifi_index;
  link.up = header.ifi_flags & IFF_UP;
  each_attribute(bytes, sizeof header, [&](std::uint16_t type, std::span<const char> value) {
    if (type == IFLA_IFNAME) link.name = read_text(value);
    if (type == IFLA_IFALIAS) link.alias = read_text(value);
    if (type == IFLA_MASTER) link.master = read_value<int>(value);
    if (type == IFLA_ADDRESS && value.size() == 6) std::memcpy(link.mac.data(), value.data(), 6);
    if (type == IFLA_LINKINFO) {
      each_attribute(value, 0, [&](std::uint16_t inner, std::span<const char> text) {
        if (inner == IFLA_INFO_KIND) link.kind = read_text(text);
      });
    }
  });
  return link;
}

}  // namespace

std::vector<Link> list_links(NetlinkSocket& socket) {
  NetlinkBatch request;
  request.begin_unacknowledged(RTM_GETLINK, NLM_F_DUMP);
  request.header(link_header(0, 0, 0));
  request.end();
  std::vector<Link> links;
  socket.dump(request, [&](std::uint16_t type, std::span<const char> bytes) {
    if (type == RTM_NEWLINK) links.push_back(read_link(bytes));
  });
  return links;
}

std::optional<Link> find_link(NetlinkSocket& socket, std::string_view name) {
  for (Link& link : list_links(socket)) {
    if (link.name == name) return std::move(link);
  }
  return std::nullopt;
}

std::vector<LinkAddress> list_addresses(NetlinkSocket& socket) {
  NetlinkBatch request;
  request.begin_unacknowledged(RTM_GETADDR, NLM_F_DUMP);
  request.header(ifaddrmsg{});
  request.end();
  std::vector<LinkAddress> addresses;
  socket.dump(request, [&](std::uint16_t type, std::span<const char> bytes) {
    if (type != RTM_NEWADDR) return;
    auto header = read_value<ifaddrmsg>(bytes);
    std::optional<IpAddress> found, local;
    std::uint32_t flags = header.ifa_flags;
    each_attribute(bytes, sizeof header, [&](std::uint16_t attribute, std::span<const char> value) {
      if (attribute == IFA_ADDRESS) found = read_address(header.ifa_family, value);
      if (attribute == IFA_LOCAL) local = read_address(header.ifa_family, value);
      if (attribute == IFA_FLAGS) flags = read_value<std::uint32_t>(value);
    });
    if (local) found = local;
    if (!found) return;
    bool configured = header.ifa_scope == RT_SCOPE_UNIVERSE && (flags & IFA_F_PERMANENT);
    addresses.push_back({static_cast<int>(header.ifa_index), {*found, header.ifa_prefixlen}, configured});
  });
  return addresses;
}

std::vector<Route> list_routes(NetlinkSocket& socket) {
  NetlinkBatch request;
  request.begin_unacknowledged(RTM_GETROUTE, NLM_F_DUMP);
  request.header(rtmsg{});
  request.end();
  std::vector<Route> routes;
  socket.dump(request, [&](std::uint16_t type, std::span<const char> bytes) {
    if (type != RTM_NEWROUTE) return;
    auto header = read_value<rtmsg>(bytes);
    if (header.rtm_table != RT_TABLE_MAIN || header.rtm_type != RTN_UNICAST) return;
    if (header.rtm_family != AF_INET && header.rtm_family != AF_INET6) return;
    std::array<std::uint8_t, 16> zero{};
    Route route;
    route.destination = {IpAddress::from_bytes(header.rtm_family == AF_INET ? Family::V4 : Family::V6, zero.data()),
                         header.rtm_dst_len};
    each_attribute(bytes, sizeof header, [&](std::uint16_t attribute, std::span<const char> value) {
      if (attribute == RTA_DST)
        route.destination.address = read_address(header.rtm_family, value).value_or(route.destination.address);
      if (attribute == RTA_GATEWAY) route.gateway = read_address(header.rtm_family, value);
      if (attribute == RTA_OIF) route.index = read_value<int>(value);
    });
    routes.push_back(route);
  });
  return routes;
}

}  // namespace proa::os
