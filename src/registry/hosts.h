// Where a repository's registry is to be asked: mirrors first, then the registry itself, over https and, where it is
// allowed to be insecure, http.
#pragma once

#include <string>
#include <vector>

#include "registry/client.h"
#include "registry/transport.h"

namespace proa::registry {

struct Host {
  Url base;                  // target "/"
  std::string root = "/v2";  // what the protocol's "/v2" is there
  TlsOptions tls;
  bool mirror = false;  // asked without credentials, and never the last word
  bool insecure = false;
  bool pulls = true, resolves = true, pushes = true;  // resolves: knows what tags stand for
  std::string name_space;                             // of a mirror: the registry that it stands for ("docker.io")
  std::vector<std::string> headers;                   // "Name: value", for this host alone

  // Where `path` ("/v2/...") is on this host.
  std::string target(std::string_view path) const;
};

// In the order in which they are to be tried; never empty. A hosts.toml of containerd's under certs_dir decides
// (<host>/hosts.toml, <host>_<port>_/hosts.toml, _default/hosts.toml); without one dockerd's options do.
std::vector<Host> hosts_for(const Options& options, const std::string& domain);
TransportOptions transport_options(const Options& options);

}  // namespace proa::registry
