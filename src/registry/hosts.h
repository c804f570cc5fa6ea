// Where a repository's registry is to be asked: mirrors first, then the registry itself, over https and, where it is
// allowed to be insecure, http.
#pragma once

#include <string>
#include <vector>

#include "registry/client.h"
#include "registry/transport.h"

namespace proa::registry {

struct Host {
  Url base;  // target "/"
  TlsOptions tls;
  bool mirror = false;  // asked without credentials, and never the last word
  bool insecure = false;
};

// In the order in which they are to be tried; never empty.
std::vector<Host> hosts_for(const Options& options, const std::string& domain);

}  // namespace proa::registry
