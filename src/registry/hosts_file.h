// containerd's hosts.toml: which hosts stand for a registry, what they may do, and how they are reached.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/hosts.h"

namespace proa::registry {

struct HostsFile {
  std::vector<Host> mirrors;   // in the order of the file
  std::optional<Host> server;  // the registry itself, where the file says something of it
};

// `directory`: for relative names of certificates. Throws InvalidArgument, also for a certificate that is not there.
HostsFile parse_hosts_file(std::string_view text, const std::string& directory, const std::string& domain);

}  // namespace proa::registry
