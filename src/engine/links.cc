#include "engine/links.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "engine/config.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "network/etc_files.h"
#include "network/networks.h"
#include "os/file.h"

namespace proa::engine {
namespace {

constexpr std::string_view kBridge = "bridge", kContainerMode = "container:";

bool is_user_defined(std::string_view mode) {
  return mode != kBridge && mode != "default" && mode != "host" && mode != "none" && !mode.empty() &&
         !mode.starts_with(kContainerMode);
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Whose network another one shares is who is linked to.
ContainerPtr linked_container(const Roster& roster, const std::string& name) {
  return in_context(cat("could not get container for ", name), [&] {
    if (name.empty()) throw Error(ErrorKind::InvalidArgument, "invalid name or ID supplied: \"\"");
    auto found = roster.find(name);
    if (!found) throw Error(ErrorKind::InvalidArgument, cat("No such container: ", name));
    for (int depth = 0; depth < 16; ++depth) {
      std::string mode = found->definition()->host_config.network_mode;
      if (!mode.starts_with(kContainerMode)) break;
      found = roster.get(std::string_view(mode).substr(kContainerMode.size()));
    }
    return found;
  });
}

std::string name_of(const Roster& roster, const Link& link) {
  auto found = roster.by_id(link.container_id);
  return found ? found->name() : link.name;
}

bool on_bridge(const Definition& definition) {
  return std::any_of(definition.networks.begin(), definition.networks.end(),
                     [](const auto& network) { return network.first == kBridge; });
}

network::Endpoint bridge_endpoint(const Rooms& rooms, const std::string& container_id) {
  for (network::Endpoint& endpoint : rooms.networks->endpoints(container_id))
    if (endpoint.network_name == kBridge) return std::move(endpoint);
  throw Error(ErrorKind::Internal, cat("container ", container_id, " not attached to default bridge network"));
}

struct Port {
  std::string protocol;
  int number = 0;
};

// TCP first, then by number: the first is what NAME_PORT says.
std::vector<Port> exposed_ports(const api::ContainerConfig& config) {
  std::vector<Port> out;
  for (const auto& [text, nothing] : config.exposed_ports) {
    auto [number, protocol] = cut(text, '/');
    if (auto parsed = parse_int<int>(number)) out.push_back({protocol ? std::string(*protocol) : "tcp", *parsed});
  }
  std::sort(out.begin(), out.end(), [](const Port& a, const Port& b) {
    return std::tuple(a.protocol != "tcp", a.number) < std::tuple(b.protocol != "tcp", b.number);
  });
  return out;
}

}  // namespace

LinkText parse_link(std::string_view text) {
  if (text.empty()) throw Error(ErrorKind::InvalidArgument, "empty string specified for links");
  std::vector<std::string> parts = split(text, ':');
  if (parts.size() > 2) throw Error(ErrorKind::InvalidArgument, cat("bad format for links: ", text));
  std::string name = parts[0], alias = parts.size() == 2 ? parts[1] : parts[0];
  if (name.starts_with('/')) return {name.substr(1), std::string(last_part(alias))};
  bool plain =
      std::all_of(alias.begin(), alias.end(), [](unsigned char c) { return c > 0x20 && c != 0x7f && c != '#'; });
  if (!plain) throw Error(ErrorKind::InvalidArgument, cat("bad format for links: ", quoted(text)));
  return {name, std::string(last_part(alias))};
}

std::vector<Link> take_links(const Roster& roster, api::HostConfig& host) {
  std::vector<Link> out;
  auto texts = std::exchange(host.links, {});
  if (is_user_defined(host.network_mode)) return out;
  for (const std::string& text : texts) {
    LinkText link = parse_link(text);
    auto other = linked_container(roster, link.name);
    auto definition = other->definition();
    if (definition->host_config.network_mode == "host") {
      throw Error(ErrorKind::InvalidArgument,
                  "conflicting options: host type networking can't be used with links. This would result in undefined "
                  "behavior");
    }
    auto same = [&](const Link& known) { return known.alias == link.alias; };
    if (std::none_of(out.begin(), out.end(), same)) out.push_back({other->id(), link.alias, definition->name});
  }
  return out;
}

std::vector<std::string> shown_links(const Roster& roster, const Definition& definition) {
  std::vector<std::string> out;
  for (const Link& link : definition.links)
    out.push_back(cat("/", name_of(roster, link), ":/", definition.name, "/", link.alias));
  return out;
}

std::map<std::string, std::vector<std::string>> link_names(const Roster& roster) {
  std::map<std::string, std::vector<std::string>> out;
  if (!roster.has_links()) return out;
  for (const auto& container : roster.all()) {
    auto definition = container->definition();
    for (const Link& link : definition->links)
      out[link.container_id].push_back(cat("/", definition->name, "/", link.alias));
  }
  for (auto& [id, names] : out) std::sort(names.begin(), names.end());
  return out;
}

std::vector<std::string> link_environment(std::string_view name, std::string_view address,
                                          const api::ContainerConfig& linked) {
  std::string prefix = replace_all(to_upper(last_part(name)), "-", "_");
  std::vector<std::string> out;
  auto ports = exposed_ports(linked);
  auto url = [&](const Port& port) { return cat(port.protocol, "://", address, ":", port.number); };
  if (!ports.empty()) out.push_back(cat(prefix, "_PORT=", url(ports.front())));
  auto part = [&](const Port& port) { return cat(prefix, "_PORT_", port.number, "_", to_upper(port.protocol)); };
  // A run of ports that follow each other is given as a whole, too.
  for (std::size_t first = 0, last; first < ports.size(); first = last + 1) {
    for (last = first; last + 1 < ports.size() && ports[last + 1].number == ports[last].number + 1 &&
                       ports[last + 1].protocol == ports[first].protocol;)
      ++last;
    if (last == first) continue;
    std::string run = part(ports[first]);
    out.push_back(cat(run, "_START=", url(ports[first])));
    out.push_back(cat(run, "_ADDR=", address));
    out.push_back(cat(run, "_PROTO=", ports[first].protocol));
    out.push_back(cat(run, "_PORT_START=", ports[first].number));
    out.push_back(cat(run, "_END=", url(ports[last])));
    out.push_back(cat(run, "_PORT_END=", ports[last].number));
  }
  for (const Port& port : ports) {
    out.push_back(cat(part(port), "=", url(port)));
    out.push_back(cat(part(port), "_ADDR=", address));
    out.push_back(cat(part(port), "_PORT=", port.number));
    out.push_back(cat(part(port), "_PROTO=", port.protocol));
  }
  out.push_back(cat(prefix, "_NAME=", name));
  for (const std::string& entry : linked.env) {
    auto [key, value] = cut(entry, '=');
    if (value && key != "HOME" && key != "PATH") out.push_back(cat(prefix, "_ENV_", key, "=", *value));
  }
  return out;
}

Linked linked_containers(const Rooms& rooms, const Definition& definition) {
  Linked out;
  if (definition.links.empty() || !on_bridge(definition)) return out;
  if (!rooms.config->icc)
    throw Error(ErrorKind::NotImplemented, "links need --icc: use a user-defined network, where names resolve");
  for (const Link& link : definition.links) {
    auto other = rooms.roster->by_id(link.container_id);
    std::string name = cat("/", definition.name, "/", link.alias);
    if (!other || !other->state().running()) {
      throw Error(ErrorKind::Internal,
                  cat("Cannot link to a non running container: /", name_of(*rooms.roster, link), " AS ", name));
    }
    auto endpoint = bridge_endpoint(rooms, link.container_id);
    auto theirs = other->definition();
    for (std::string& entry : link_environment(name, endpoint.ipv4, theirs->config))
      out.environment.push_back(std::move(entry));
    std::string names = cat(link.alias, " ", theirs->config.hostname);
    if (link.alias != theirs->name) names += cat(" ", theirs->name);
    for (const std::string& address : {endpoint.ipv4, endpoint.ipv6})
      if (!address.empty()) out.hosts.emplace_back(address, names);
  }
  return out;
}

void tell_linking(const Rooms& rooms, const Container& container) {
  if (!rooms.roster->has_links()) return;
  for (const auto& other : rooms.roster->all()) {
    auto definition = other->definition();
    if (!other->state().running() || !on_bridge(*definition)) continue;
    for (const Link& link : definition->links) {
      if (link.container_id != container.id()) continue;
      std::string path = os::path_join(os::path_join(rooms.containers_dir, other->id()), "hosts");
      std::string address = bridge_endpoint(rooms, container.id()).ipv4;
      auto before = os::try_read_file(path);
      if (!before || address.empty()) continue;
      std::string after = network::with_address(*before, link.alias, address);
      // In place: the container has this very file mounted.
      if (after != *before) os::write_file(path, after, 0644);
    }
  }
}

}  // namespace proa::engine
