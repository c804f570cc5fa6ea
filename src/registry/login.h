// docker login: are these credentials any good?
#pragma once

#include <stop_token>
#include <string>

#include "registry/client.h"

namespace proa::registry {

// Returns the identity token that the registry gives in exchange ("" where it gives none). Throws Unauthorized.
// `domain`: "docker.io", "localhost:5000".
std::string login(const Options& options, const std::string& domain, const Credentials& credentials,
                  std::stop_token stop);

// "docker.io" of "", "https://index.docker.io/v1/" and the like; else the host of a URL.
std::string domain_of_server(std::string_view server_address);

}  // namespace proa::registry
