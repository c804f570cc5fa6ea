// What a create or update request must satisfy, with docker's texts (pure).
#pragma once

#include <string>
#include <vector>

#include "api/containers.h"
#include "engine/host_facts.h"

namespace proa::engine {

// Throws InvalidArgument; returns warnings. `runtimes`: the names that --runtime may have.
std::vector<std::string> check_create(const api::ContainerCreateRequest& request, const HostFacts& host,
                                      const std::vector<std::string>& runtimes);
void check_resources(const api::Resources& resources, const HostFacts& host);
void check_restart_policy(const api::RestartPolicy& policy, bool auto_remove);

}  // namespace proa::engine
