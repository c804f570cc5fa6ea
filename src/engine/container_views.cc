// What list and inspect show of a container. Readers: they take snapshots and wait for nobody.
#include <algorithm>

#include "base/id.h"
#include "base/text.h"
#include "engine/apparmor.h"
#include "engine/companions.h"
#include "engine/containers.h"
#include "engine/execs.h"
#include "engine/health.h"
#include "engine/links.h"
#include "engine/log_reader.h"
#include "engine/network_requests.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "engine/spec_builder.h"
#include "engine/status_text.h"
#include "image/images.h"
#include "image/snapshots.h"
#include "network/networks.h"
#include "os/file.h"
#include "volume/volumes.h"

namespace proa::engine {
namespace {

std::string time_text(UnixNanos time) { return time == kZeroTime ? "0001-01-01T00:00:00Z" : format_rfc3339(time); }

api::EndpointSettings endpoint_view(const api::EndpointSettings& asked, const network::Endpoint* live) {
  auto out = asked;
  if (!live) return out;
  out.network_id = live->network_id;
  out.endpoint_id = live->id;
  out.gateway = live->gateway;
  out.ip_address = live->ipv4;
  out.ip_prefix_len = live->prefix;
  out.ipv6_gateway = live->ipv6_gateway;
  out.global_ipv6_address = live->ipv6;
  out.global_ipv6_prefix_len = live->ipv6_prefix;
  out.mac_address = live->mac;
  if (!live->dns_names.empty()) out.dns_names = live->dns_names;
  return out;
}

std::map<std::string, api::EndpointSettings> network_views(const Rooms& rooms, const Snapshot& snapshot,
                                                           const std::vector<network::Endpoint>& live) {
  std::map<std::string, api::EndpointSettings> out;
  for (const auto& [name, asked] : snapshot.definition->networks) {
    const network::Endpoint* found = nullptr;
    for (const auto& endpoint : live) {
      if (endpoint.network_name == name || endpoint.network_id == name) found = &endpoint;
    }
    auto view = endpoint_view(asked, found);
    std::string key = found ? found->network_name : name;
    if (!found) {
      if (auto record = rooms.networks->find(name)) {
        view.network_id = record->id;
        key = record->name;
      }
    }
    out[key] = std::move(view);
  }
  return out;
}

std::vector<api::MountPoint> mount_views(const Rooms& rooms, const Definition& definition) {
  std::vector<api::MountPoint> out;
  for (const auto& point : definition.mounts) {
    if (point.type == volume::Type::Tmpfs && !point.from_mounts) continue;
    api::MountPoint view;
    view.type = volume::to_string(point.type);
    view.destination = point.destination;
    view.rw = point.read_write;
    view.mode = point.mode;
    if (point.type == volume::Type::Bind) {
      view.source = point.source;
      view.propagation = point.propagation.empty() ? "rprivate" : point.propagation;
    } else if (point.type == volume::Type::Volume) {
      view.name = point.name;
      view.source = rooms.volumes->mountpoint(point.name);
      view.driver = "local";
      if (view.mode.empty() && !point.from_mounts && !point.anonymous) view.mode = "z";
    }
    out.push_back(std::move(view));
  }
  return out;
}

api::PortMap port_map(const Definition& definition, const std::vector<network::PortBinding>& bindings, bool running) {
  api::PortMap out;
  if (!running) return out;
  for (const auto& [port, nothing] : definition.config.exposed_ports) out.emplace(port, std::nullopt);
  for (const auto& [port, asked] : definition.host_config.port_bindings) out.emplace(port, std::nullopt);
  for (const auto& binding : bindings) {
    auto& list = out[cat(std::to_string(binding.container_port), "/", binding.protocol)];
    if (!list) list.emplace();
    list->push_back({binding.host_ip, std::to_string(binding.host_port)});
  }
  return out;
}

std::vector<api::Port> port_list(const Definition& definition, const std::vector<network::PortBinding>& bindings,
                                 bool running) {
  std::vector<api::Port> out;
  if (!running) return out;
  for (const auto& binding : bindings) {
    out.push_back({.ip = binding.host_ip,
                   .private_port = binding.container_port,
                   .public_port = binding.host_port,
                   .type = binding.protocol});
  }
  for (const auto& [name, nothing] : definition.config.exposed_ports) {
    auto [number, protocol] = cut(name, '/');
    auto port = parse_int<std::uint16_t>(number);
    std::string type(protocol.value_or("tcp"));
    auto same = [&](const api::Port& p) { return p.private_port == port.value_or(0) && p.type == type; };
    if (port && std::none_of(out.begin(), out.end(), same))
      out.push_back({.ip = "", .private_port = *port, .public_port = 0, .type = type});
  }
  return out;
}

std::string command_line(const Definition& definition) {
  std::string out = definition.path;
  for (const auto& arg : definition.args) {
    bool plain = arg.find_first_of(" \t\n\"'") == std::string::npos;
    out += plain ? " " + arg : " '" + arg + "'";
  }
  return out;
}

api::ContainerState state_view(const State& state) {
  api::ContainerState out;
  out.status = to_string(state.status);
  out.running = state.active();
  out.paused = state.status == Status::Paused;
  out.restarting = state.status == Status::Restarting;
  out.oom_killed = state.oom_killed;
  out.dead = state.status == Status::Dead;
  out.pid = state.pid;
  out.exit_code = state.exit_code;
  out.error = state.error;
  out.started_at = time_text(state.started_at);
  out.finished_at = time_text(state.finished_at);
  return out;
}

api::NetworkSettings network_settings_view(const Rooms& rooms, const Snapshot& snapshot) {
  const auto& d = *snapshot.definition;
  const auto& s = snapshot.state;
  auto live = s.running() ? rooms.networks->endpoints(d.id) : std::vector<network::Endpoint>{};
  api::NetworkSettings net;
  net.networks = network_views(rooms, snapshot, live);
  net.ports = port_map(d, s.running() ? rooms.networks->ports(d.id) : std::vector<network::PortBinding>{}, s.running());
  if (s.running() && !joins_container(d.host_config.network_mode)) {
    net.sandbox_id = d.id;
    net.sandbox_key = cat("/proc/", std::to_string(s.pid), "/ns/net");
  }
  for (const auto& endpoint : live) {
    if (endpoint.network_name != "bridge") continue;  // the old top-level members are the default bridge's
    net.endpoint_id = endpoint.id;
    net.gateway = endpoint.gateway;
    net.ip_address = endpoint.ipv4;
    net.ip_prefix_len = endpoint.prefix;
    net.mac_address = endpoint.mac;
    net.ipv6_gateway = endpoint.ipv6_gateway;
    net.global_ipv6_address = endpoint.ipv6;
    net.global_ipv6_prefix_len = endpoint.ipv6_prefix;
  }
  return net;
}

struct ListFilter {
  const api::Filters& filters;
  const Rooms& rooms;
  std::optional<UnixNanos> before, since;
  std::set<std::string> ancestors;  // image ids

  ListFilter(const Rooms& all_rooms, const api::Filters& given) : filters(given), rooms(all_rooms) {
    filters.check({"ancestor", "annotation", "before", "expose", "exited", "health", "id", "isolation", "is-task",
                   "label", "label!", "name", "network", "publish", "since", "status", "volume"});
    for (const auto& name : filters.get("before")) before = rooms.roster->get(name)->definition()->created;
    for (const auto& name : filters.get("since")) since = rooms.roster->get(name)->definition()->created;
    for (const auto& name : filters.get("ancestor")) {
      if (auto image = rooms.images->find(name)) ancestors.insert(image->id.text());
    }
    for (const auto& status : filters.get("status")) {
      static const std::set<std::string> kKnown = {"created",  "running", "paused", "restarting",
                                                   "removing", "exited",  "dead"};
      if (!kKnown.contains(status))
        throw Error(ErrorKind::InvalidArgument,
                    cat("invalid filter 'status=", status, "': invalid value for state (", status,
                        "): must be one of created, running, paused, restarting, removing, exited, dead"));
    }
    for (const auto& health : filters.get("health")) {
      if (health != "none" && health != "starting" && health != "healthy" && health != "unhealthy")
        throw Error(ErrorKind::InvalidArgument, cat("invalid filter 'health=", health, "': invalid value for health (",
                                                    health, "): must be one of none, starting, healthy, unhealthy"));
    }
    for (const auto& code : filters.get("exited")) {
      if (!parse_int<int>(code))
        throw Error(ErrorKind::InvalidArgument, cat("invalid filter 'exited=", code, "': strconv.Atoi: parsing ",
                                                    quoted(code), ": invalid syntax"));
    }
  }

  bool ports_match(std::string_view key, const std::vector<api::Port>& ports) const {
    return filters.any(key, [&](const std::string& text) {
      auto [range, protocol] = cut(text, '/');
      auto [low, high] = cut(range, '-');
      auto first = parse_int<int>(low), last = high ? parse_int<int>(*high) : first;
      if (!first || !last) return false;
      return std::any_of(ports.begin(), ports.end(), [&](const api::Port& p) {
        int number = key == "publish" ? p.public_port : p.private_port;
        return number >= *first && number <= *last && p.type == protocol.value_or("tcp");
      });
    });
  }

  bool takes(const Snapshot& snapshot, const std::vector<api::Port>& ports) const {
    const auto& d = *snapshot.definition;
    const auto& s = snapshot.state;
    if (before && d.created >= *before) return false;
    if (since && d.created <= *since) return false;
    if (filters.has("ancestor") && !ancestors.contains(d.image_id)) return false;
    if (!filters.matches_prefix("id", d.id)) return false;
    if (!filters.matches_pattern("name", d.name) && !filters.matches_pattern("name", "/" + d.name)) return false;
    if (!filters.matches_exactly("status", to_string(s.status))) return false;
    if (filters.has("exited") &&
        (s.active() || s.status == Status::Created || !filters.matches_exactly("exited", std::to_string(s.exit_code))))
      return false;
    if (!filters.matches_labels(d.config.labels) || !filters.matches_annotations(d.host_config.annotations))
      return false;
    if (!filters.matches_exactly("health", s.health.empty() ? "none" : s.health)) return false;
    if (!filters.any("is-task", [](const std::string& v) { return v == "false" || v == "0"; })) return false;
    if (!filters.any("volume", [&](const std::string& v) {
          return std::any_of(d.mounts.begin(), d.mounts.end(), [&](const volume::MountPoint& m) {
            return m.name == v || m.destination == v || m.source == v;
          });
        }))
      return false;
    if (!filters.any("network", [&](const std::string& v) {
          return std::any_of(d.networks.begin(), d.networks.end(), [&](const auto& n) {
            if (n.first == v) return true;
            auto record = rooms.networks->find(n.first);
            return record && (record->name == v || record->id.starts_with(v));
          });
        }))
      return false;
    return ports_match("publish", ports) && ports_match("expose", ports);
  }
};

}  // namespace

std::vector<api::ContainerSummary> Containers::list(const ListOptions& options, const api::Filters& filters) const {
  ListFilter filter(rooms_, filters);
  bool all = options.all || options.limit > 0 || filters.has("status") || filters.has("exited") ||
             filters.has("since") || filters.has("before");
  std::vector<api::ContainerSummary> out;
  auto linked_as = link_names(*rooms_.roster);
  auto time = now();
  for (const auto& container : rooms_.roster->all()) {
    auto snapshot = container->snapshot();
    const auto& d = *snapshot->definition;
    const auto& s = snapshot->state;
    if (!all && !s.active()) continue;
    auto ports =
        port_list(d, s.running() ? rooms_.networks->ports(d.id) : std::vector<network::PortBinding>{}, s.running());
    if (!filter.takes(*snapshot, ports)) continue;
    api::ContainerSummary row;
    row.id = d.id;
    row.names = linked_as[d.id];
    row.names.push_back("/" + d.name);
    std::sort(row.names.begin(), row.names.end());
    row.image = d.config.image;
    row.image_id = d.image_id;
    row.command = command_line(d);
    row.created = d.created / kSecond;
    row.ports = std::move(ports);
    row.labels = d.config.labels;
    row.state = to_string(s.status);
    row.status = status_text(s, time);
    if (auto health = rooms_.health ? rooms_.health->of(d.id) : std::nullopt)
      row.health = {health->status, health->failing_streak};
    row.host_config.network_mode = d.host_config.network_mode;
    row.host_config.annotations = d.host_config.annotations;
    row.network_settings.networks = network_views(
        rooms_, *snapshot, s.running() ? rooms_.networks->endpoints(d.id) : std::vector<network::Endpoint>{});
    row.mounts = mount_views(rooms_, d);
    if (options.size) {
      row.size_rw = static_cast<std::int64_t>(rooms_.snapshots->size(d.id));
      auto image = rooms_.images->find(d.image_id);
      row.size_root_fs = *row.size_rw + (image ? static_cast<std::int64_t>(image->size) : 0);
    }
    out.push_back(std::move(row));
    if (options.limit > 0 && static_cast<int>(out.size()) >= options.limit) break;
  }
  return out;
}

api::ContainerInspect Containers::inspect(std::string_view reference, bool size) const {
  auto container = rooms_.roster->get(reference);
  auto snapshot = container->snapshot();
  const auto& d = *snapshot->definition;
  const auto& s = snapshot->state;
  auto file = [&](std::string_view name) { return os::path_join(os::path_join(rooms_.containers_dir, d.id), name); };
  bool was_started = s.started_at != kZeroTime;
  api::ContainerInspect out;
  out.id = d.id;
  out.created = format_rfc3339(d.created);
  out.path = d.path;
  out.args = d.args;
  out.state = state_view(s);
  if (rooms_.health) out.state.health = rooms_.health->of(d.id);
  out.image = d.image_id;
  out.hosts_path = was_started || !s.error.empty() ? file("hosts") : "";
  out.hostname_path = was_started || !s.error.empty() ? file("hostname") : "";
  out.resolv_conf_path = was_started || !s.error.empty() ? file("resolv.conf") : "";
  if (d.host_config.log_config.type != "none") out.log_path = was_started ? file(log_file_name(d.id)) : "";
  out.name = "/" + d.name;
  out.restart_count = s.restart_count;
  out.driver = "overlay2";
  out.platform = "linux";
  out.app_armor_profile = rooms_.apparmor->profile_of(d.host_config);
  if (auto execs = rooms_.execs->of_container(d.id); !execs.empty()) out.exec_ids = std::move(execs);
  out.host_config = d.host_config;
  out.host_config.links = shown_links(*rooms_.roster, d);
  if (!d.host_config.privileged) {
    if (!out.host_config.masked_paths) out.host_config.masked_paths = default_masked_paths(rooms_.host);
    if (!out.host_config.readonly_paths) out.host_config.readonly_paths = default_readonly_paths();
  }
  out.graph_driver.name = "overlay2";
  out.graph_driver.data = {{"UpperDir", file("upper")}, {"WorkDir", file("work")}};
  // The root is mounted nowhere on the host; while the container runs, this path leads to it.
  if (s.running()) out.graph_driver.data["MergedDir"] = cat("/proc/", s.pid, "/root");
  out.mounts = mount_views(rooms_, d);
  out.config = d.config;
  out.network_settings = network_settings_view(rooms_, *snapshot);
  if (size) {
    out.size_rw = static_cast<std::int64_t>(rooms_.snapshots->size(d.id));
    auto image = rooms_.images->find(d.image_id);
    out.size_root_fs = *out.size_rw + (image ? static_cast<std::int64_t>(image->size) : 0);
  }
  return out;
}

}  // namespace proa::engine
