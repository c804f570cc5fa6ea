#include "engine/networks.h"

#include <algorithm>

#include "base/text.h"
#include "engine/etc_changes.h"
#include "engine/events.h"
#include "engine/network_requests.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "network/networks.h"

namespace proa::engine {
namespace {

api::NetworkResource view(const network::NetworkRecord& record) {
  api::NetworkResource out;
  out.name = record.name;
  out.id = record.id;
  out.created = format_rfc3339(record.created);
  out.scope = record.scope;
  out.driver = record.driver;
  out.enable_ipv4 = record.enable_ipv4;
  out.enable_ipv6 = record.enable_ipv6;
  out.ipam.driver = record.ipam_driver;
  if (!record.ipam_options.empty()) out.ipam.options = record.ipam_options;
  for (const auto& pool : record.ipam)
    out.ipam.config.push_back({pool.subnet, pool.ip_range, pool.gateway, pool.aux_addresses});
  out.internal = record.internal;
  out.attachable = record.attachable;
  out.ingress = record.ingress;
  out.config_only = record.config_only;
  out.config_from.network = record.config_from;
  out.options = record.options;
  out.labels = record.labels;
  return out;
}

std::string with_prefix(const std::string& address, int prefix) {
  return address.empty() ? "" : cat(address, "/", std::to_string(prefix));
}

}  // namespace

std::vector<api::NetworkResource> Networks::list(const api::Filters& filters) const {
  filters.check({"dangling", "driver", "id", "label", "label!", "name", "scope", "type"});
  for (const auto& type : filters.get("type")) {
    if (type != "builtin" && type != "custom")
      throw Error(ErrorKind::InvalidArgument, cat("invalid filter: 'type'='", type, "'"));
  }
  std::vector<api::NetworkResource> out;
  for (const auto& record : rooms_.networks->list()) {
    if (!filters.matches_exactly("driver", record.driver) || !filters.matches_prefix("id", record.id)) continue;
    if (!filters.any("name", [&](const std::string& v) { return record.name.find(v) != std::string::npos; })) continue;
    if (!filters.matches_exactly("scope", record.scope) || !filters.matches_labels(record.labels)) continue;
    if (!filters.matches_exactly("type", record.predefined ? "builtin" : "custom")) continue;
    if (filters.has("dangling")) {
      bool dangling = !record.predefined && rooms_.networks->attached(record.id).empty();
      if (dangling != filters.boolean("dangling", false)) continue;
    }
    out.push_back(view(record));
  }
  return out;
}

api::NetworkResource Networks::inspect(std::string_view name) const {
  auto record = rooms_.networks->get(name);
  auto out = view(record);
  for (const auto& attached : rooms_.networks->attached(record.id)) {
    const auto& endpoint = attached.endpoint;
    out.containers[attached.container_id] = {attached.container_name, endpoint.id, endpoint.mac,
                                             with_prefix(endpoint.ipv4, endpoint.prefix),
                                             with_prefix(endpoint.ipv6, endpoint.ipv6_prefix)};
  }
  out.status.emplace();
  for (const auto& [subnet, status] : rooms_.networks->address_status(record.id))
    out.status->ipam.subnets[subnet] = {status.in_use, status.available};
  return out;
}

api::NetworkCreateResponse Networks::create(const api::NetworkCreateRequest& request) {
  network::NetworkSpec spec;
  spec.name = request.name;
  if (!request.driver.empty()) spec.driver = request.driver;
  if (!request.scope.empty()) spec.scope = request.scope;
  spec.enable_ipv4 = request.enable_ipv4.value_or(true);
  spec.enable_ipv6 = request.enable_ipv6.value_or(false);
  spec.internal = request.internal;
  spec.attachable = request.attachable;
  spec.ingress = request.ingress;
  spec.config_only = request.config_only;
  if (request.config_from) spec.config_from = request.config_from->network;
  if (request.ipam) {
    if (!request.ipam->driver.empty()) spec.ipam_driver = request.ipam->driver;
    if (request.ipam->options) spec.ipam_options = *request.ipam->options;
    for (const auto& pool : request.ipam->config)
      spec.ipam.push_back({pool.subnet, pool.ip_range, pool.gateway, pool.auxiliary_addresses});
  }
  spec.options = request.options;
  spec.labels = request.labels;
  auto record = rooms_.networks->create(spec);
  rooms_.events->emit("network", "create", record.id, {{"name", record.name}, {"type", record.driver}});
  return {record.id, ""};
}

void Networks::remove(std::string_view name) {
  auto record = rooms_.networks->remove(name);
  rooms_.events->emit("network", "destroy", record.id, {{"name", record.name}, {"type", record.driver}});
}

void Networks::connect(std::string_view name, const api::NetworkConnect& request) {
  if (request.container.empty()) throw Error(ErrorKind::InvalidArgument, "invalid name or ID supplied: \"\"");
  auto record = rooms_.networks->get(name);
  auto container = rooms_.roster->get(request.container);
  std::lock_guard guard(container->operation);
  auto definition = container->definition();
  auto settings = request.endpoint_config.value_or(api::EndpointSettings{});
  const auto& mode = definition->host_config.network_mode;
  if (mode.starts_with("container:")) {
    throw Error(
        ErrorKind::InvalidArgument,
        "container sharing network namespace with another container or host cannot be connected to any other network");
  }
  if (mode == "host")
    throw Error(ErrorKind::InvalidArgument, "container cannot be connected to host network or disconnected from it");
  auto same = [&](const auto& entry) { return entry.first == record.name || entry.first == record.id; };
  if (std::any_of(definition->networks.begin(), definition->networks.end(), same)) {
    throw Error(ErrorKind::Forbidden,
                cat("endpoint with name ", definition->name, " already exists in network ", record.name));
  }
  if (container->state().running()) {
    auto endpoint =
        rooms_.networks->connect(container->id(), endpoint_request(record.name, settings, *definition, false));
    note_connected(rooms_, *definition, endpoint);
    rooms_.events->emit("network", "connect", record.id,
                        {{"container", container->id()}, {"name", record.name}, {"type", record.driver}});
  }
  rooms_.roster->change_definition(*container, [&](Definition& d) {
    if (d.networks.size() == 1 && d.networks.front().first == "none") {
      d.networks.clear();
      d.host_config.network_mode = record.name;
    }
    d.networks.emplace_back(record.name, settings);
  });
}

void Networks::disconnect(std::string_view name, const api::NetworkDisconnect& request) {
  auto record = rooms_.networks->get(name);
  auto container = rooms_.roster->find(request.container);
  if (!container) {
    if (!request.force) throw Error(ErrorKind::NotFound, cat("No such container: ", request.container));
    rooms_.networks->disconnect(request.container, record.id, true);
    return;
  }
  std::lock_guard guard(container->operation);
  auto definition = container->definition();
  auto same = [&](const auto& entry) { return entry.first == record.name || entry.first == record.id; };
  if (std::none_of(definition->networks.begin(), definition->networks.end(), same)) {
    throw Error(ErrorKind::Forbidden, cat("container ", container->id(), " is not connected to network ", record.name));
  }
  if (container->state().running()) {
    note_disconnected(rooms_, *definition, rooms_.networks->disconnect(container->id(), record.id, request.force));
    rooms_.events->emit("network", "disconnect", record.id,
                        {{"container", container->id()}, {"name", record.name}, {"type", record.driver}});
  }
  rooms_.roster->change_definition(*container, [&](Definition& d) { std::erase_if(d.networks, same); });
}

api::NetworksPruneReport Networks::prune(const api::Filters& filters) {
  filters.check({"until", "label", "label!"});
  std::optional<UnixNanos> until;
  for (const auto& text : filters.get("until")) {
    until = parse_timestamp(text, now());
    if (!until) throw Error(ErrorKind::InvalidArgument, cat("invalid filter 'until=[", text, "]'"));
  }
  api::NetworksPruneReport report;
  auto removed = rooms_.networks->prune([&](const network::NetworkRecord& record) {
    if (until && record.created >= *until) return false;
    return filters.matches_labels(record.labels);
  });
  for (const auto& record : removed) {
    report.networks_deleted.push_back(record.name);
    rooms_.events->emit("network", "destroy", record.id, {{"name", record.name}, {"type", record.driver}});
  }
  return report;
}

}  // namespace proa::engine
