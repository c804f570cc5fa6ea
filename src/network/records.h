// What a network is, as it is asked for, kept in the database, and shown.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/time.h"

namespace proa::network {

using Labels = std::map<std::string, std::string>;

struct IpamPool {
  std::string subnet{}, ip_range{}, gateway{};
  Labels aux_addresses{};
};

struct NetworkSpec {
  std::string name{};
  std::string driver = "bridge";
  std::string scope = "local";
  bool enable_ipv4 = true, enable_ipv6 = false;
  bool internal = false, attachable = false, ingress = false, config_only = false;
  std::string config_from{};
  std::string ipam_driver = "default";
  Labels ipam_options{};
  std::vector<IpamPool> ipam{};
  Labels options{}, labels{};
};

struct NetworkRecord : NetworkSpec {
  std::string id{};
  UnixNanos created = kZeroTime;
  bool predefined = false;   // bridge, host, none
  bool user_subnet = false;  // the caller chose the subnet: static addresses are allowed
};
Json to_json(const NetworkRecord& record);
NetworkRecord network_from_json(const Json& value);

// The name of the bridge device: the option com.docker.network.bridge.name, else br-<12 digits of the id>.
std::string bridge_device(const NetworkRecord& record);
bool option_bool(const NetworkRecord& record, std::string_view key, bool fallback);

struct PortMapping {                // asked for
  std::string host_ip{};            // "" is every address
  std::uint16_t host_port = 0;      // 0: the engine chooses
  std::uint16_t host_port_end = 0;  // 0: exactly host_port; else the first free one of the range
  std::uint16_t container_port = 0;
  std::string protocol = "tcp";  // tcp, udp, sctp
};
struct PortBinding {      // what became of it
  std::string host_ip{};  // "0.0.0.0" for every address
  std::uint16_t host_port = 0, container_port = 0;
  std::string protocol{};
  bool operator==(const PortBinding&) const = default;
};

struct EndpointRequest {
  std::string network{};  // name, id, or prefix of the id
  std::vector<std::string> aliases{};
  std::string ipv4{}, ipv6{}, mac{};  // "" for chosen here
  int gateway_priority = 0;           // the highest gives the default route; at equal ones the first
  std::string interface {};           // "" for eth0, eth1, ...
  Labels links{};                     // names that this container alone uses there: link -> the other's name
};

struct Endpoint {
  std::string id{}, network_id{}, network_name{};
  std::string interface {};  // inside: "eth0"; "" on host and none
  std::string host_link{};   // the veth's host side
  std::string mac{}, ipv4{}, gateway{}, ipv6{}, ipv6_gateway{};
  int prefix = 0, ipv6_prefix = 0;
  std::vector<std::string> aliases{};    // as asked for
  std::vector<std::string> dns_names{};  // all it answers to on this network: name, short id, aliases, hostname
  int gateway_priority = 0;
  Labels links{};  // as asked for
};
Json to_json(const Endpoint& endpoint);
Endpoint endpoint_from_json(const Json& value);
Json to_json(const PortBinding& binding);
PortBinding port_binding_from_json(const Json& value);

struct AttachedEndpoint {
  std::string container_id{}, container_name{};
  Endpoint endpoint{};
};

}  // namespace proa::network
