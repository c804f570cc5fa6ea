#include "network/records.h"

#include "base/id.h"
#include "base/json_codec.h"
#include "base/text.h"

namespace proa {

template <>
struct json::Fields<network::IpamPool> {
  using T = network::IpamPool;
  static constexpr auto list =
      std::tuple{json::optional("Subnet", &T::subnet), json::optional("IPRange", &T::ip_range),
                 json::optional("Gateway", &T::gateway), json::optional("AuxAddresses", &T::aux_addresses)};
};

template <>
struct json::Fields<network::NetworkRecord> {
  using T = network::NetworkRecord;
  static constexpr auto list = std::tuple{json::always("Id", &T::id),
                                          json::always("Created", &T::created),
                                          json::always("Predefined", &T::predefined),
                                          json::always("UserSubnet", &T::user_subnet),
                                          json::always("Name", &T::name),
                                          json::always("Driver", &T::driver),
                                          json::always("Scope", &T::scope),
                                          json::always("EnableIPv4", &T::enable_ipv4),
                                          json::always("EnableIPv6", &T::enable_ipv6),
                                          json::always("Internal", &T::internal),
                                          json::always("Attachable", &T::attachable),
                                          json::always("Ingress", &T::ingress),
                                          json::always("ConfigOnly", &T::config_only),
                                          json::optional("ConfigFrom", &T::config_from),
                                          json::always("IpamDriver", &T::ipam_driver),
                                          json::always("IpamOptions", &T::ipam_options),
                                          json::always("Ipam", &T::ipam),
                                          json::always("Options", &T::options),
                                          json::always("Labels", &T::labels)};
};

template <>
struct json::Fields<network::PortBinding> {
  using T = network::PortBinding;
  static constexpr auto list =
      std::tuple{json::always("HostIp", &T::host_ip), json::always("HostPort", &T::host_port),
                 json::always("ContainerPort", &T::container_port), json::always("Protocol", &T::protocol)};
};

template <>
struct json::Fields<network::Endpoint> {
  using T = network::Endpoint;
  static constexpr auto list = std::tuple{json::always("Id", &T::id),
                                          json::always("NetworkId", &T::network_id),
                                          json::always("NetworkName", &T::network_name),
                                          json::always("Interface", &T::interface),
                                          json::always("HostLink", &T::host_link),
                                          json::always("Mac", &T::mac),
                                          json::always("IPv4", &T::ipv4),
                                          json::always("Gateway", &T::gateway),
                                          json::always("IPv6", &T::ipv6),
                                          json::always("IPv6Gateway", &T::ipv6_gateway),
                                          json::always("Prefix", &T::prefix),
                                          json::always("IPv6Prefix", &T::ipv6_prefix),
                                          json::always("Aliases", &T::aliases),
                                          json::always("DnsNames", &T::dns_names),
                                          json::always("GatewayPriority", &T::gateway_priority),
                                          json::optional("Links", &T::links)};
};

}  // namespace proa

namespace proa::network {

Json to_json(const NetworkRecord& record) { return json::encode(record); }
NetworkRecord network_from_json(const Json& value) { return json::decode<NetworkRecord>(value, "network"); }
Json to_json(const Endpoint& endpoint) { return json::encode(endpoint); }
Endpoint endpoint_from_json(const Json& value) { return json::decode<Endpoint>(value, "endpoint"); }
Json to_json(const PortBinding& binding) { return json::encode(binding); }
PortBinding port_binding_from_json(const Json& value) { return json::decode<PortBinding>(value, "port"); }

std::string bridge_device(const NetworkRecord& record) {
  auto chosen = record.options.find("com.docker.network.bridge.name");
  if (chosen != record.options.end() && !chosen->second.empty()) return chosen->second;
  return cat("br-", short_id(record.id));
}

bool option_bool(const NetworkRecord& record, std::string_view key, bool fallback) {
  auto found = record.options.find(std::string(key));
  if (found == record.options.end()) return fallback;
  if (found->second == "true" || found->second == "1" || found->second == "t" || found->second == "True") return true;
  if (found->second == "false" || found->second == "0" || found->second == "f" || found->second == "False")
    return false;
  return fallback;
}

}  // namespace proa::network
