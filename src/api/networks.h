// Networks and endpoints (swagger v1.56).
#pragma once

#include "api/host_config.h"

namespace proa::api {

struct EndpointIpamConfig {
  std::string ipv4_address, ipv6_address;
  Strings link_local_ips;
};
struct EndpointSettings {
  std::optional<EndpointIpamConfig> ipam_config;
  std::optional<Strings> links, aliases;
  std::string mac_address;
  std::optional<StringMap> driver_opts;
  int gw_priority = 0;
  std::string network_id, endpoint_id, gateway, ip_address;
  int ip_prefix_len = 0;
  std::string ipv6_gateway, global_ipv6_address;
  int global_ipv6_prefix_len = 0;
  std::optional<Strings> dns_names;
};
struct NetworkingConfig {
  std::map<std::string, std::optional<EndpointSettings>> endpoints_config;
};

struct IpamPool {
  std::string subnet, ip_range, gateway;
  StringMap auxiliary_addresses;
};
struct Ipam {
  std::string driver = "default";
  std::optional<StringMap> options;
  std::vector<IpamPool> config;
};
struct ConfigReference {
  std::string network;
};
struct NetworkContainer {  // in NetworkResource.Containers, by container id
  std::string name, endpoint_id, mac_address, ipv4_address, ipv6_address;
};
struct SubnetStatus {
  std::uint64_t ips_in_use = 0, dynamic_ips_available = 0;
};
struct IpamStatus {
  std::map<std::string, SubnetStatus> subnets;  // by subnet
};
struct NetworkStatus {
  IpamStatus ipam;
};
struct NetworkResource {
  std::string name, id, created, scope, driver;
  bool enable_ipv4 = true, enable_ipv6 = false;
  Ipam ipam;
  bool internal = false, attachable = false, ingress = false;
  ConfigReference config_from;
  bool config_only = false;
  std::map<std::string, NetworkContainer> containers;
  StringMap options, labels;
  std::optional<NetworkStatus> status;  // of one that is inspected
};

struct NetworkCreateRequest {
  std::string name;
  bool check_duplicate = false;  // before 1.44; names are unique always
  std::string driver, scope;
  std::optional<bool> enable_ipv4, enable_ipv6;
  std::optional<Ipam> ipam;
  bool internal = false, attachable = false, ingress = false, config_only = false;
  std::optional<ConfigReference> config_from;
  StringMap options, labels;
};
struct NetworkCreateResponse {
  std::string id, warning;
};
struct NetworkConnect {
  std::string container;
  std::optional<EndpointSettings> endpoint_config;
};
struct NetworkDisconnect {
  std::string container;
  bool force = false;
};
struct NetworksPruneReport {
  Strings networks_deleted;
};

Json to_json(const EndpointSettings& value);
EndpointSettings endpoint_settings_from_json(const Json& value);
Json to_json(const NetworkingConfig& value);
NetworkingConfig networking_config_from_json(const Json& value);
Json to_json(const NetworkResource& value);
NetworkResource network_resource_from_json(const Json& value);
Json to_json(const NetworkCreateRequest& value);
NetworkCreateRequest network_create_request_from_json(const Json& value);
Json to_json(const NetworkCreateResponse& value);
Json to_json(const NetworkConnect& value);
NetworkConnect network_connect_from_json(const Json& value);
Json to_json(const NetworkDisconnect& value);
NetworkDisconnect network_disconnect_from_json(const Json& value);
Json to_json(const NetworksPruneReport& value);

}  // namespace proa::api
