// rtnetlink(7): links, addresses and routes, several requests in one sendmsg.
//
// A socket belongs to the network namespace of the thread that opened it, for good: a namespace is configured from
// outside through a socket that was opened inside (os/netns.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "os/fd.h"
#include "os/ip_address.h"

namespace proa::os {

// Netlink messages one behind the other in one buffer. The caller names each, for the Error when the kernel refuses it.
class NetlinkBatch {
 public:
  void begin(std::uint16_t type, std::uint16_t flags, std::string_view what);  // NLM_F_REQUEST | NLM_F_ACK are added
  void begin_unacknowledged(std::uint16_t type, std::uint16_t flags);
  void end();
  template <class Header>
  void header(const Header& value) {
    raw(&value, sizeof value);
  }
  void attribute(std::uint16_t type, const void* bytes, std::size_t size);
  void attribute(std::uint16_t type, std::string_view text);  // with its NUL
  void attribute_u8(std::uint16_t type, std::uint8_t value);
  void attribute_u32(std::uint16_t type, std::uint32_t value);
  void attribute_address(std::uint16_t type, const IpAddress& address);
  std::size_t nest(std::uint16_t type);  // sets NLA_F_NESTED only where asked for in `type`
  void end_nest(std::size_t at);

  std::size_t size() const { return names_.size(); }

 private:
  friend class NetlinkSocket;
  void raw(const void* bytes, std::size_t size);
  std::vector<char> bytes_;
  std::vector<std::string> names_;  // of each message; "" where no acknowledgement was asked for
  std::size_t start_ = 0;           // of the open message
};

class NetlinkSocket {
 public:
  // In the namespace of the calling thread. `protocol` is NETLINK_ROUTE or NETLINK_NETFILTER.
  explicit NetlinkSocket(int protocol);

  // Sends all and waits for every acknowledgement. The messages are carried out in order, and those after a refused one
  // as well (the kernel does not stop); throws for the first refused one.
  void execute(NetlinkBatch& batch);
  // The errno (0: done) of each message instead of an exception.
  std::vector<int> try_execute(NetlinkBatch& batch);
  // One dump request; `each` sees the messages' type, and payload behind nlmsghdr.
  void dump(NetlinkBatch& request, const std::function<void(std::uint16_t type, std::span<const char>)>& each);
  int fd() const { return socket_.get(); }

 private:
  struct Refusal {
    int errno_code = 0;
    std::string text{};  // the kernel's own words, where it has some
  };
  std::vector<Refusal> exchange(NetlinkBatch& batch);
  std::uint32_t send(NetlinkBatch& batch);  // returns the sequence number of the first message
  std::span<const char> receive();
  Fd socket_;
  std::uint32_t sequence_ = 0;
  std::vector<char> buffer_;
};

// --- requests; each appends one message -------------------------------------------------------------------------

struct BridgeLink {
  std::string name{};
  MacAddress mac{};
  std::uint32_t mtu = 0;  // 0: the kernel's
};
void add_bridge(NetlinkBatch& batch, const BridgeLink& bridge);

struct VethLink {
  std::string name{};       // host side, in the socket's namespace
  int bridge = 0;           // ifindex of its master; 0 for none
  std::string peer_name{};  // already the final name
  int peer_netns = -1;      // the peer is born there: moving it later would wait for an RCU grace period
  MacAddress peer_mac{};
  std::uint32_t mtu = 0;
};
void add_veth(NetlinkBatch& batch, const VethLink& veth);
struct BridgePort {
  std::string name{};
  bool hairpin = false;   // frames may go back out of this port: a container that uses its own published port
  bool isolated = false;  // no frames to other isolated ports
};
// Host side up, without an IPv6 link-local address of its own.
void set_bridge_port_up(NetlinkBatch& batch, const BridgePort& port);
void set_link_bridge(NetlinkBatch& batch, std::string_view name, int bridge);  // makes it a port there
void set_link_up(NetlinkBatch& batch, int index);
void set_link_up(NetlinkBatch& batch, std::string_view name);
// Makes the kernel finish a carrier change now: until its "linkwatch" work has run, an interface that was up before its
// veth peer drops every packet, and a lost SYN costs its sender a second. (Linux 6.8 and later; no harm before.)
void settle_link(NetlinkBatch& batch, std::string_view name);
void rename_link(NetlinkBatch& batch, int index, std::string_view name);
// Into the namespace `netns`, where it is called `name` and is down, without its addresses.
void move_link(NetlinkBatch& batch, int index, int netns, std::string_view name);
void set_link_alias(NetlinkBatch& batch, std::string_view name, std::string_view alias);
void delete_link(NetlinkBatch& batch, std::string_view name);  // waits for an RCU grace period: never on a hot path
void add_address(NetlinkBatch& batch, int index, const IpPrefix& address);
void delete_address(NetlinkBatch& batch, int index, const IpPrefix& address);
void add_default_route(NetlinkBatch& batch, const IpAddress& gateway, int index);
void delete_default_route(NetlinkBatch& batch, Family family);
// What comes in at the interface for `address` is for this host; behind the kernel's own route to it.
void add_local_route(NetlinkBatch& batch, const IpAddress& address, int index);
void add_route(NetlinkBatch& batch, const IpPrefix& destination, const std::optional<IpAddress>& gateway, int index);

// --- questions ----------------------------------------------------------------------------------------------------

struct Link {
  int index = 0;
  std::string name{}, alias{}, kind{};  // kind: "bridge", "veth", "" ...
  MacAddress mac{};
  int master = 0;
  bool up = false;
};
std::vector<Link> list_links(NetlinkSocket& socket);
std::optional<Link> find_link(NetlinkSocket& socket, std::string_view name);
struct LinkAddress {
  int index = 0;
  IpPrefix address{};
  bool configured = false;  // global and for good: somebody gave it, not the kernel or a router
};
std::vector<LinkAddress> list_addresses(NetlinkSocket& socket);
struct Route {
  IpPrefix destination{};  // 0.0.0.0/0 for the default route
  std::optional<IpAddress> gateway{};
  int index = 0;
};
// Unicast routes of the main table.
std::vector<Route> list_routes(NetlinkSocket& socket);

}  // namespace proa::os
