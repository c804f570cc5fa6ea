#include <cstdlib>

#include "base/text.h"
#include "client/api.h"
#include "os/file.h"

namespace proa::client {
namespace {

constexpr std::string_view kOwnSocket = "/run/proa.sock", kDockerSocket = "/var/run/docker.sock";
constexpr std::size_t kConfigLimit = 4 << 20;

std::string environment(const char* name) {
  const char* value = ::getenv(name);
  return value ? value : "";
}

std::optional<Json> read_json(const std::string& path) {
  auto text = os::try_read_file(path, kConfigLimit);
  if (!text) return std::nullopt;
  return in_context(cat("parsing ", path), [&] { return json::parse(*text); });
}

// The directory of a context is named by the SHA-256 of its name; this base has no hash, so the few that are there are
// asked for their names.
std::string host_of_context(std::string_view name) {
  std::string root = os::path_join(config_dir(), "contexts/meta");
  std::vector<std::string> directories;
  if (os::exists(root)) directories = os::list_dir(root);
  for (const std::string& directory : directories) {
    auto meta = read_json(os::path_join(os::path_join(root, directory), "meta.json"));
    if (!meta || json::string_at(*meta, "Name") != name) continue;
    const Json* endpoints = json::find(*meta, "Endpoints");
    const Json* docker = endpoints ? json::find(*endpoints, "docker") : nullptr;
    std::string host = docker ? json::string_at(*docker, "Host") : "";
    if (host.empty()) throw Error(ErrorKind::InvalidArgument, cat("context ", quoted(name), ": no docker endpoint"));
    return host;
  }
  throw Error(ErrorKind::NotFound, cat("context ", quoted(name), ": context not found"));
}

std::string default_host() {
  return cat("unix://", os::exists(kOwnSocket) || !os::exists(kDockerSocket) ? kOwnSocket : kDockerSocket);
}

std::string normalised(std::string_view host) {
  if (host.starts_with("unix://") || host.starts_with("http://")) return std::string(host);
  if (host.starts_with("tcp://")) return std::string(host);
  if (host.starts_with('/')) return cat("unix://", host);
  if (host.find("://") == host.npos) return cat("tcp://", host);
  throw Error(ErrorKind::InvalidArgument,
              cat("unable to reach ", host, ": only unix:// and tcp:// hosts are supported"));
}

}  // namespace

std::string config_dir() {
  if (std::string dir = environment("DOCKER_CONFIG"); !dir.empty()) return dir;
  return os::path_join(environment("HOME").empty() ? "/root" : environment("HOME"), ".docker");
}

std::string choose_host(std::string_view host, std::string_view context) {
  if (!host.empty()) return normalised(host);
  std::string wanted(context);
  if (wanted.empty()) {
    if (std::string from_environment = environment("DOCKER_HOST"); !from_environment.empty())
      return normalised(from_environment);
    wanted = environment("DOCKER_CONTEXT");
  }
  if (wanted.empty()) {
    if (auto config = read_json(os::path_join(config_dir(), "config.json")))
      wanted = json::string_at(*config, "currentContext");
  }
  if (wanted.empty() || wanted == "default") return default_host();
  return normalised(host_of_context(wanted));
}

}  // namespace proa::client
