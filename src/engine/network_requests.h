// What a container asks of the network, out of its definition (pure).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "api/networks.h"
#include "engine/container.h"
#include "network/records.h"

namespace proa::engine {

// The networks in the order in which they become eth0, eth1...: the one of NetworkMode first. {} for host, none and
// container:X. Throws InvalidArgument for what docker refuses.
std::vector<std::pair<std::string, api::EndpointSettings>> plan_networks(const Definition& definition,
                                                                         const api::NetworkingConfig& networking);
// Published ports, with --publish-all. Throws InvalidArgument.
std::vector<network::PortMapping> port_mappings(const Definition& definition);
network::EndpointRequest endpoint_request(const std::string& network, const api::EndpointSettings& endpoint,
                                          const Definition& definition, bool first);

}  // namespace proa::engine
