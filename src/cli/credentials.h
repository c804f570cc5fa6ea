// Who the user is for a registry: ~/.docker/config.json and docker's credential helpers.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/images.h"

namespace proa::cli {

// The X-Registry-Auth header for the registry of `domain` ("docker.io"); "" where nothing is stored.
std::string registry_auth(std::string_view domain);
std::optional<api::AuthConfig> find_credentials(const std::string& server);

// Docker's key for a registry: the host, or "https://index.docker.io/v1/" for docker.io and "".
std::string server_key(std::string_view registry);

// In the helper that the configuration names, else in the file itself: then its path is returned, else "".
std::string store_credentials(const api::AuthConfig& auth);
void erase_credentials(const std::string& server);

}  // namespace proa::cli
