// The networks of this daemon, and the sandboxes (network namespaces) of its containers.
//
// Every function may be called from any thread. None holds a lock while the kernel works.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "network/ipam.h"
#include "network/records.h"
#include "os/fd.h"

namespace proa::store {
class Database;
}

namespace proa::network {

struct NetworkConfig {
  std::string bridge = "proa0";      // the default network's device; "none" turns the default network off
  std::string bip{};                 // address and prefix of that device ("10.5.0.1/16"); "" takes one of the pools
  std::string table{};               // nftables tables `ip` and `ip6` of this name; "" is made from `bridge`
  std::string state_dir{};           // X/network: what is attached now; does not outlive the kernel
  std::string default_host_ip{};     // where ports are published when nothing is said; "" is 0.0.0.0
  std::vector<std::string> pools{};  // "172.17.0.0/16:16" (base and size); {} takes docker's
  std::uint32_t mtu = 0;
  bool ip_forward = true;          // turn on net.ipv4.ip_forward where it is off
  bool inter_container = true;     // --icc
  bool ip_masquerade = true;       // --ip-masq
  std::vector<std::string> dns{};  // daemon-wide resolvers for the embedded DNS to ask
};

struct SandboxRequest {
  std::string container_id{}, container_name{}, hostname{};
  std::vector<EndpointRequest> endpoints{};  // in order: eth0, eth1, ...; {} is like the network "none"
  std::vector<PortMapping> ports{};
  std::vector<std::string> dns{};  // --dns: whom the embedded DNS asks
};
struct Sandbox {
  os::Fd netns{};  // empty: the host's
  bool host = false;
  std::vector<Endpoint> endpoints{};
  std::vector<PortBinding> ports{};
  bool embedded_dns = false;  // it is on a user-defined network: resolv.conf names 127.0.0.11
};

struct LiveContainer {  // for recover()
  std::string container_id{};
  pid_t pid = 0;
};

struct NetworkFilter {
  std::function<bool(const NetworkRecord&)> wanted{};  // empty takes all
};

class Networks {
 public:
  // Makes the built-in networks known (ids are kept in the database). Nothing is asked of the kernel before recover()
  // or the first connection.
  Networks(store::Database& database, NetworkConfig config);
  ~Networks();
  Networks(const Networks&) = delete;
  Networks& operator=(const Networks&) = delete;

  // At daemon start, before anything else: bridges and rules are made equal to the records, addresses and ports of the
  // live containers are taken again, their embedded DNS is opened again, and what belongs to nobody is removed.
  void recover(std::span<const LiveContainer> live);

  // With docker's checks and texts. `warning` out: "" or a text for the API.
  NetworkRecord create(const NetworkSpec& spec);
  NetworkRecord get(std::string_view name_or_id) const;                  // throws NotFound "network x not found"
  std::optional<NetworkRecord> find(std::string_view name_or_id) const;  // nor an ambiguous prefix
  std::vector<NetworkRecord> list() const;
  NetworkRecord remove(std::string_view name_or_id);  // returns what was removed
  // User-defined networks nobody is attached to, for which `wanted` says yes. Returns them.
  std::vector<NetworkRecord> prune(const std::function<bool(const NetworkRecord&)>& wanted);
  std::vector<AttachedEndpoint> attached(std::string_view network_id) const;
  // How many addresses of each of the network's subnets are taken, by subnet.
  std::map<std::string, SubnetStatus> address_status(std::string_view network_id) const;

  // The network of a container about to start: a namespace with everything in it. All or nothing.
  Sandbox connect_new(const SandboxRequest& request);
  // Again: the directory for them was emptied. (They are what recover() needs.)
  void write_states();
  // Off the path: makes what the next connect_new then need not wait for.
  void keep_ready();
  // On a live container (one that connect_new or recover knows).
  Endpoint connect(const std::string& container_id, const EndpointRequest& request);
  // `force` also drops an endpoint whose container is unknown to the kernel.
  Endpoint disconnect(const std::string& container_id, std::string_view network, bool force);
  // The container has ended: addresses, ports, rules and names are free at once; the kernel removes the namespace and
  // its links by itself. Unknown ids are no error.
  void release(const std::string& container_id);

  // What a live container has now; empty for others.
  std::vector<Endpoint> endpoints(const std::string& container_id) const;
  std::vector<PortBinding> ports(const std::string& container_id) const;
  // For --network container:X. Throws Conflict if it is not running.
  os::Fd netns_of(const std::string& container_id) const;
  // The names other containers find it by.
  void rename(const std::string& container_id, const std::string& new_name);

  // The address of the default bridge (host-gateway), "" if there is none yet.
  std::string host_gateway() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace proa::network
