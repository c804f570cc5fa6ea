// `run` and `create`: from flags to the request, without asking the daemon anything.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "api/containers.h"
#include "cli/flags.h"

namespace proa::cli {

struct CreateOptions {
  api::ContainerCreateRequest request;
  std::string pull;  // always, missing, never
  std::string cidfile;
  bool quiet = false;
  bool detach = false, sig_proxy = true, explain = false;
  std::string detach_keys;
};

// What the flags refer to outside of them.
struct Surroundings {
  std::function<std::optional<std::string>(const std::string& name)> variable;
  std::function<std::string(const std::string& path)> read_file;  // throws Error
  std::string directory;
};
Surroundings process_surroundings();

// Throws FlagError with docker's text.
CreateOptions plan_create(const Flags& flags, const Surroundings& surroundings);
// The resources part, which `update` shares.
void plan_resources(const Flags& flags, api::Resources& resources);
// Not one of the built-in networks, and no other container's.
bool is_user_defined(std::string_view network);
api::NetworkingConfig plan_networks(const Flags& flags, std::string& network_mode);
// nullopt where no flag speaks of it.
std::optional<api::HealthConfig> plan_health(const Flags& flags);
api::StringMap key_value_map(const std::vector<std::string>& pairs);

}  // namespace proa::cli
