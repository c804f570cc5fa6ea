#include "engine/network_requests.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "engine/links.h"

namespace proa::engine {
namespace {

struct PortName {
  std::uint16_t port = 0, end = 0;
  std::string protocol;
};

// "80/tcp", "8000-8010/udp", "80"
PortName parse_port(std::string_view text) {
  auto [range, protocol] = cut(text, '/');
  PortName out;
  out.protocol = protocol ? to_lower(*protocol) : "tcp";
  auto [low, high] = cut(range, '-');
  auto first = parse_int<std::uint16_t>(low);
  auto last = high ? parse_int<std::uint16_t>(*high) : first;
  bool known = out.protocol == "tcp" || out.protocol == "udp" || out.protocol == "sctp";
  if (!known) throw Error(ErrorKind::InvalidArgument, cat("invalid proto: ", out.protocol));
  if (!first || !last || *first == 0 || *last < *first) {
    throw Error(ErrorKind::InvalidArgument, cat("invalid port specification: ", quoted(range)));
  }
  out.port = *first;
  out.end = *last;
  return out;
}

bool is_default(std::string_view name) {
  return name == "bridge" || name == "host" || name == "none" || name == "default";
}

constexpr const char* kInterfaceName = "com.docker.network.endpoint.ifname";
constexpr const char* kSysctls = "com.docker.network.endpoint.sysctls";

std::string endpoint_option(const api::EndpointSettings& endpoint, const char* key) {
  if (!endpoint.driver_opts) return "";
  auto found = endpoint.driver_opts->find(key);
  return found == endpoint.driver_opts->end() ? "" : found->second;
}

// What would be passed over in silence.
void check_options(const api::EndpointSettings& endpoint) {
  if (endpoint.ipam_config && !endpoint.ipam_config->link_local_ips.empty())
    throw Error(ErrorKind::NotImplemented, "link-local addresses of endpoints are not supported");
  if (!endpoint_option(endpoint, kSysctls).empty())
    throw Error(ErrorKind::NotImplemented, "sysctls of endpoints are not supported: use --sysctl");
  std::string name = endpoint_option(endpoint, kInterfaceName);
  bool bad = name.size() > 15 || name == "." || name == ".." || name == "lo" ||
             std::any_of(name.begin(), name.end(),
                         [](unsigned char c) { return c <= 0x20 || c == '/' || c == ':' || c > 0x7e; });
  if (bad) throw Error(ErrorKind::InvalidArgument, cat("invalid interface name ", quoted(name)));
}

void check_endpoint(const std::string& name, const api::EndpointSettings& endpoint) {
  check_options(endpoint);
  if (!is_default(name)) return;
  if (endpoint.ipam_config &&
      (!endpoint.ipam_config->ipv4_address.empty() || !endpoint.ipam_config->ipv6_address.empty())) {
    throw Error(
        ErrorKind::InvalidArgument,
        "invalid config for network " + name +
            ": invalid endpoint settings: user specified IP address is supported on user defined networks only");
  }
  if (endpoint.aliases && !endpoint.aliases->empty()) {
    throw Error(ErrorKind::InvalidArgument, "invalid config for network " + name +
                                                ": invalid endpoint settings: network-scoped alias is supported only "
                                                "for containers in user defined networks");
  }
}

}  // namespace

std::vector<std::pair<std::string, api::EndpointSettings>> plan_networks(const Definition& definition,
                                                                         const api::NetworkingConfig& networking) {
  std::vector<std::pair<std::string, api::EndpointSettings>> out;
  std::string mode = definition.host_config.network_mode;
  bool alone = mode == "host" || mode == "none" || mode.starts_with("container:");
  auto settings = [&](const std::string& name) {
    auto it = networking.endpoints_config.find(name);
    if (it == networking.endpoints_config.end() && name == "bridge") it = networking.endpoints_config.find("default");
    return it == networking.endpoints_config.end() || !it->second ? api::EndpointSettings{} : *it->second;
  };
  if (definition.config.network_disabled) return out;
  if (!mode.starts_with("container:")) out.emplace_back(mode, settings(mode));
  if (alone) {
    for (const auto& [name, endpoint] : networking.endpoints_config) {
      if (name == mode || (mode.starts_with("container:") && name == mode)) continue;
      if (name == "default" || name == "bridge") continue;
      throw Error(ErrorKind::InvalidArgument,
                  cat("conflicting options: cannot attach both user-defined and non-user-defined network-modes"));
    }
  } else {
    std::vector<std::pair<std::string, api::EndpointSettings>> more;
    for (const auto& [name, endpoint] : networking.endpoints_config) {
      if (name == mode || (name == "default" && mode == "bridge")) continue;
      more.emplace_back(name, endpoint.value_or(api::EndpointSettings{}));
    }
    out.insert(out.end(), more.begin(), more.end());
  }
  for (const auto& [name, endpoint] : out) check_endpoint(name, endpoint);
  return out;
}

std::vector<network::PortMapping> port_mappings(const Definition& definition) {
  std::vector<network::PortMapping> out;
  const auto& host = definition.host_config;
  for (const auto& [name, bindings] : host.port_bindings) {
    auto port = parse_port(name);
    if (!bindings) continue;
    for (const auto& binding : *bindings) {
      network::PortMapping mapping;
      mapping.host_ip = binding.host_ip;
      mapping.container_port = port.port;
      mapping.protocol = port.protocol;
      if (!binding.host_port.empty() && binding.host_port != "0") {
        auto [low, high] = cut(binding.host_port, '-');
        auto first = parse_int<std::uint16_t>(low);
        auto last = high ? parse_int<std::uint16_t>(*high) : first;
        if (!first || !last || *last < *first) {
          throw Error(ErrorKind::InvalidArgument, cat("invalid port specification: ", quoted(binding.host_port)));
        }
        mapping.host_port = *first;
        if (*last != *first) mapping.host_port_end = *last;
      }
      out.push_back(std::move(mapping));
    }
  }
  if (host.publish_all_ports) {
    for (const auto& [name, nothing] : definition.config.exposed_ports) {
      auto port = parse_port(name);
      for (int number = port.port; number <= port.end; ++number) {
        auto same = [&](const network::PortMapping& m) {
          return m.container_port == number && m.protocol == port.protocol;
        };
        if (std::any_of(out.begin(), out.end(), same)) continue;
        network::PortMapping mapping;
        mapping.container_port = static_cast<std::uint16_t>(number);
        mapping.protocol = port.protocol;
        out.push_back(std::move(mapping));
      }
    }
  }
  for (const auto& [name, nothing] : definition.config.exposed_ports) parse_port(name);
  return out;
}

network::EndpointRequest endpoint_request(const std::string& network, const api::EndpointSettings& endpoint,
                                          const Definition& definition, bool first) {
  check_options(endpoint);
  network::EndpointRequest out;
  out.network = network;
  out.interface = endpoint_option(endpoint, kInterfaceName);
  if (endpoint.aliases) out.aliases = *endpoint.aliases;
  if (endpoint.ipam_config) {
    out.ipv4 = endpoint.ipam_config->ipv4_address;
    out.ipv6 = endpoint.ipam_config->ipv6_address;
  }
  out.mac = endpoint.mac_address.empty() && first ? definition.config.mac_address : endpoint.mac_address;
  out.gateway_priority = endpoint.gw_priority;
  for (const std::string& text : endpoint.links.value_or(std::vector<std::string>{})) {
    LinkText link = parse_link(text);
    out.links[link.alias] = link.name;
  }
  return out;
}

}  // namespace proa::engine
