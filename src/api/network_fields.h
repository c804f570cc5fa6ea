// Private to api/: the field tables of networks.h.
#pragma once

#include "api/host_config_fields.h"
#include "api/networks.h"

namespace proa {

FIELDS(EndpointIpamConfig, optional("IPv4Address", &T::ipv4_address), optional("IPv6Address", &T::ipv6_address),
       optional("LinkLocalIPs", &T::link_local_ips));
FIELDS(EndpointSettings, always("IPAMConfig", &T::ipam_config), always("Links", &T::links),
       always("Aliases", &T::aliases), always("MacAddress", &T::mac_address), always("DriverOpts", &T::driver_opts),
       always("GwPriority", &T::gw_priority), always("NetworkID", &T::network_id),
       always("EndpointID", &T::endpoint_id), always("Gateway", &T::gateway), always("IPAddress", &T::ip_address),
       always("IPPrefixLen", &T::ip_prefix_len), always("IPv6Gateway", &T::ipv6_gateway),
       always("GlobalIPv6Address", &T::global_ipv6_address), always("GlobalIPv6PrefixLen", &T::global_ipv6_prefix_len),
       always("DNSNames", &T::dns_names));
FIELDS(NetworkingConfig, always("EndpointsConfig", &T::endpoints_config));
FIELDS(IpamPool, optional("Subnet", &T::subnet), optional("IPRange", &T::ip_range), optional("Gateway", &T::gateway),
       optional("AuxiliaryAddresses", &T::auxiliary_addresses));
FIELDS(Ipam, always("Driver", &T::driver), always("Options", &T::options), always("Config", &T::config));
FIELDS(ConfigReference, always("Network", &T::network));
FIELDS(NetworkContainer, always("Name", &T::name), always("EndpointID", &T::endpoint_id),
       always("MacAddress", &T::mac_address), always("IPv4Address", &T::ipv4_address),
       always("IPv6Address", &T::ipv6_address));
FIELDS(SubnetStatus, always("IPsInUse", &T::ips_in_use), always("DynamicIPsAvailable", &T::dynamic_ips_available));
FIELDS(IpamStatus, optional("Subnets", &T::subnets));
FIELDS(NetworkStatus, always("IPAM", &T::ipam));
FIELDS(NetworkResource, always("Name", &T::name), always("Id", &T::id), always("Created", &T::created),
       always("Scope", &T::scope), always("Driver", &T::driver), always("EnableIPv4", &T::enable_ipv4),
       always("EnableIPv6", &T::enable_ipv6), always("IPAM", &T::ipam), always("Internal", &T::internal),
       always("Attachable", &T::attachable), always("Ingress", &T::ingress), always("ConfigFrom", &T::config_from),
       always("ConfigOnly", &T::config_only), always("Containers", &T::containers), always("Options", &T::options),
       always("Labels", &T::labels), optional("Status", &T::status));
FIELDS(NetworkCreateRequest, always("Name", &T::name), optional("CheckDuplicate", &T::check_duplicate),
       always("Driver", &T::driver), always("Scope", &T::scope), optional("EnableIPv4", &T::enable_ipv4),
       optional("EnableIPv6", &T::enable_ipv6), always("IPAM", &T::ipam), always("Internal", &T::internal),
       always("Attachable", &T::attachable), always("Ingress", &T::ingress), always("ConfigOnly", &T::config_only),
       always("ConfigFrom", &T::config_from), always("Options", &T::options), always("Labels", &T::labels));
FIELDS(NetworkCreateResponse, always("Id", &T::id), always("Warning", &T::warning));
FIELDS(NetworkConnect, always("Container", &T::container), optional("EndpointConfig", &T::endpoint_config));
FIELDS(NetworkDisconnect, always("Container", &T::container), always("Force", &T::force));
FIELDS(NetworksPruneReport, nullable("NetworksDeleted", &T::networks_deleted));

}  // namespace proa
