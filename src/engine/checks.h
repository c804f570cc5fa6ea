// What a create or update request must satisfy, with docker's texts (pure).
#pragma once

#include <string>
#include <vector>

#include "api/containers.h"
#include "engine/host_facts.h"

namespace proa::engine {

struct CreateSettings {
  std::vector<std::string> runtimes;  // the names that --runtime may have
  std::string log_driver;             // where the request names none
};
// Throws InvalidArgument; returns warnings.
std::vector<std::string> check_create(const api::ContainerCreateRequest& request, const HostFacts& host,
                                      const CreateSettings& settings);
void check_resources(const api::Resources& resources, const HostFacts& host);
void check_restart_policy(const api::RestartPolicy& policy, bool auto_remove);

}  // namespace proa::engine
