// What Networks knows. Private to networks.cc, sandboxes.cc and recover.cc.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/sync.h"
#include "network/bridge.h"
#include "network/dns.h"
#include "network/firewall.h"
#include "network/firewall_watch.h"
#include "network/ipam.h"
#include "network/netns_reserve.h"
#include "network/networks.h"
#include "network/plug.h"
#include "network/ports.h"
#include "os/netlink.h"
#include "os/netns.h"

namespace proa::network {

inline constexpr const char* kMtu = "com.docker.network.driver.mtu";

// Addresses of an endpoint that was given back, whose link is perhaps still on the bridge: the kernel takes a dropped
// namespace apart on its own time, and two ports with one MAC address lose packets.
struct RestingEndpoint {
  std::string container_id, host_link, ipv4, ipv6;
};

struct Network {
  NetworkRecord record;
  std::optional<AddressPool> v4, v6;
  std::vector<RestingEndpoint> resting;
  int bridge_index = 0;              // 0: not made yet
  std::multiset<std::string> users;  // containers attached, or about to be
};

struct Container {
  std::string id, name, hostname;
  bool host = false;
  os::Fd netns;
  std::vector<Endpoint> endpoints;
  std::vector<PortBinding> ports;
  std::vector<std::string> dns;
  bool embedded_dns = false;
};
Json to_json(const Container& container);
Container container_from_json(const Json& value);

struct Tables {
  std::map<std::string, Network> networks;  // by id
  std::map<std::string, Container> containers;
  PortTable ports;

  std::vector<Network*> matches(std::string_view name_or_id);  // several only where it is a prefix of their IDs
  Network* find(std::string_view name_or_id);                  // throws only for an ambiguous prefix
  Network& get(std::string_view name_or_id);                   // throws NotFound
  const Endpoint* gateway_endpoint(const Container& container);
};

struct Networks::State {
  State(store::Database& db, NetworkConfig settings) : database(db), config(std::move(settings)) {}

  store::Database& database;
  NetworkConfig config;
  Sync<Tables> tables;
  DnsServer dns;
  NetnsReserve netns_reserve;

  std::mutex bridge_mutex;    // one maker of bridges at a time
  std::mutex firewall_mutex;  // guards what follows, and the order of transactions
  std::vector<FirewallPort> published;
  bool firewall_ready = false;
  // Kept open: to close one the kernel waits for an RCU grace period if elements were removed.
  std::unique_ptr<os::NetlinkSocket> nft_socket;

  FirewallWatch firewall_watch;  // last: its thread uses what stands above

  // networks.cc
  void load();
  std::vector<os::IpPrefix> taken_subnets(Tables& now, std::string_view but_device);
  void prepare_pools(Network& network);
  void settle_ipam(Tables& now, NetworkRecord& record);
  NetworkRecord make_predefined(std::string_view name, std::string_view driver);

  // sandboxes.cc
  int ensure_network(const std::string& id);                            // its bridge; returns the ifindex
  void replug(Tables& now, const std::string& network_id, int bridge);  // who runs there, on a bridge made anew
  BridgePlan bridge_plan(const Network& network) const;
  Endpoint allocate(Tables& now, const SandboxRequest& who, const EndpointRequest& request);
  // All that `request` asks of the tables, into `container`; returns the ids of networks that need a bridge. Where it
  // throws, what `container` has got so far is to be given back.
  std::vector<std::string> reserve(const SandboxRequest& request, Container& container);
  void reserve_ports(Tables& now, const SandboxRequest& request, Container& container);
  void plug_all(const Container& container, os::NetlinkSocket& inside);
  void give_back(Tables& now, const std::string& container_id, const Endpoint& endpoint);
  void free_rested(Network& network, const std::string& container_id);
  PlugPlan plug_plan(Tables& now, const Endpoint& endpoint, bool is_gateway, bool has_ports);
  void save(const Container& container);
  void forget_file(const std::string& container_id);
  std::string state_path(std::string_view container_id) const;
  void announce(const Container& container);  // names, and whether it may ask outside
  void forget_names(const Container& container);
  bool may_ask_outside(Tables& now, const Container& container);
  std::vector<std::string> upstream_for(const Container& container) const;
  std::vector<FirewallPort> firewall_ports(const Container& container);
  void detach(Container& container);

  // recover.cc
  bool adopt(Container& container, pid_t pid);
  void settle_default_subnet();

  // firewall_rules.cc
  void apply_firewall();  // all of it
  void ensure_firewall();
  void restore_lost_firewall();
  void publish(const std::vector<FirewallPort>& ports);
  void unpublish(const std::vector<FirewallPort>& ports);
  void apply_firewall_locked();
  void change_ports_locked(os::NftChange change, const std::vector<FirewallPort>& ports);
  bool forwarding_is_ours(os::Family family) const;
  std::string forwarding_mark(os::Family family) const;
};

bool is_user_defined(const NetworkRecord& record);

}  // namespace proa::network
