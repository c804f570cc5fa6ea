// After a start of the daemon: the kernel is made equal to what is recorded.
#include <linux/netlink.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "base/trace.h"
#include "network/state.h"
#include "os/file.h"
#include "store/database.h"

namespace proa::network {

Json to_json(const Container& container) {
  JsonArray endpoints, ports, dns;
  for (const Endpoint& endpoint : container.endpoints) endpoints.push_back(to_json(endpoint));
  for (const PortBinding& port : container.ports) ports.push_back(to_json(port));
  for (const std::string& server : container.dns) dns.push_back(Json(std::string_view(server)));
  JsonObject object;
  object["id"] = std::string_view(container.id);
  object["name"] = std::string_view(container.name);
  object["hostname"] = std::string_view(container.hostname);
  object["host"] = container.host;
  object["embedded_dns"] = container.embedded_dns;
  object["endpoints"] = std::move(endpoints);
  object["ports"] = std::move(ports);
  object["dns"] = std::move(dns);
  return object;
}

Container container_from_json(const Json& value) {
  Container container;
  container.id = json::string_at(value, "id");
  container.name = json::string_at(value, "name");
  container.hostname = json::string_at(value, "hostname");
  container.host = json::bool_at(value, "host");
  container.embedded_dns = json::bool_at(value, "embedded_dns");
  auto each = [&](std::string_view key, auto&& take) {
    const Json* list = json::find(value, key);
    if (!list || !list->is_array()) return;
    for (const Json& item : list->get_array()) take(item);
  };
  each("endpoints", [&](const Json& item) { container.endpoints.push_back(endpoint_from_json(item)); });
  each("ports", [&](const Json& item) { container.ports.push_back(port_binding_from_json(item)); });
  each("dns", [&](const Json& item) {
    if (item.is_string()) container.dns.emplace_back(std::string_view(item.get_string()));
  });
  return container;
}

std::string Networks::State::state_path(std::string_view container_id) const {
  return os::path_join(config.state_dir, cat(container_id, ".json"));
}

void Networks::State::save(const Container& container) {
  if (config.state_dir.empty()) return;
  os::replace_file(state_path(container.id), json::text(to_json(container)), 0600);
}

void Networks::State::forget_file(const std::string& container_id) {
  if (!config.state_dir.empty()) os::remove_file(state_path(container_id));
}

void Networks::write_states() {
  if (state_->config.state_dir.empty()) return;
  os::make_dirs(state_->config.state_dir, 0700);
  auto locked = state_->tables.lock();
  for (const auto& [id, container] : locked->containers) state_->save(container);
}

namespace {

// The sandboxes that were attached when the last daemon ended; those that cannot be read are dropped.
std::vector<Container> read_containers(const std::string& state_dir) {
  std::vector<Container> containers;
  if (state_dir.empty()) return containers;
  for (const std::string& name : os::list_dir(state_dir)) {
    if (!name.ends_with(".json")) continue;
    std::string path = os::path_join(state_dir, name);
    try {
      containers.push_back(container_from_json(json::parse(os::read_file(path))));
    } catch (const Error& error) {
      log::warn("cannot read the network state of a container; it is dropped",
                {{"path", path}, {"error", error.message()}});
      os::remove_file(path);
    }
  }
  return containers;
}

// Links that carry our marks but belong to no network or container.
void remove_orphans(os::NetlinkSocket& socket, const std::set<std::string>& bridges, const std::set<std::string>& veths,
                    std::string_view mark) {
  std::vector<os::Link> links = os::list_links(socket);
  std::set<int> our_bridges;
  os::NetlinkBatch batch;
  for (const os::Link& link : links) {
    bool marked = link.alias.starts_with(mark);
    if (marked || bridges.contains(link.name)) our_bridges.insert(link.index);
    if (marked && link.kind == "bridge" && !bridges.contains(link.name)) delete_link(batch, link.name);
  }
  for (const os::Link& link : links) {
    if (link.kind == "veth" && link.name.starts_with(kHostLinkPrefix) && our_bridges.contains(link.master) &&
        !veths.contains(link.name)) {
      delete_link(batch, link.name);
    }
  }
  socket.try_execute(batch);  // one that vanished by itself meanwhile is no loss
}

}  // namespace

// Takes what a live container has; false if its namespace cannot be had.
bool Networks::State::adopt(Container& container, pid_t pid) {
  if (!container.host) {
    try {
      container.netns = os::netns_of_process(pid);
      os::Fd own = os::current_netns();
      if (os::same_netns(container.netns.get(), own.get())) return false;
    } catch (const Error&) {
      return false;
    }
  }
  {
    auto locked = tables.lock();
    for (const Endpoint& endpoint : container.endpoints) {
      auto found = locked->networks.find(endpoint.network_id);
      if (found == locked->networks.end()) continue;
      Network& network = found->second;
      network.users.insert(container.id);
      if (auto v4 = os::IpAddress::parse(endpoint.ipv4); v4 && network.v4) network.v4->take(*v4);
      if (auto v6 = os::IpAddress::parse(endpoint.ipv6); v6 && network.v6) network.v6->take(*v6);
    }
    locked->ports.take(container.ports);
  }
  for (FirewallPort& port : firewall_ports(container)) published.push_back(std::move(port));
  if (container.embedded_dns) {
    DnsSockets sockets;
    try {
      os::in_netns(container.netns.get(), [&] { sockets = open_dns_sockets(); });
      dns.add({container.id, std::move(sockets), upstream_for(container), true});
    } catch (const Error& error) {
      log::warn("the embedded DNS of a container could not be opened again",
                {{"container", container.id}, {"error", error.message()}});
    }
    announce(container);
  }
  return true;
}

void Networks::State::replug(Tables& now, const std::string& network_id, int bridge) {
  os::NetlinkBatch batch;
  for (const auto& [id, container] : now.containers) {
    const Endpoint* gateway = now.gateway_endpoint(container);
    for (const Endpoint& endpoint : container.endpoints) {
      if (endpoint.network_id != network_id || endpoint.host_link.empty()) continue;
      PlugPlan plan = plug_plan(now, endpoint, false, &endpoint == gateway && !container.ports.empty());
      set_link_bridge(batch, endpoint.host_link, bridge);
      set_bridge_port_up(batch, {.name = plan.host_link, .hairpin = plan.hairpin, .isolated = plan.isolated});
    }
  }
  if (batch.size() == 0) return;
  os::NetlinkSocket socket(NETLINK_ROUTE);
  socket.try_execute(batch);  // one whose container is ending is no loss
}

// The default bridge's subnet was chosen on another day: if the host uses it now and nobody is attached, another one.
void Networks::State::settle_default_subnet() {
  auto locked = tables.lock();
  Network* bridge = locked->find("bridge");
  if (!bridge || !bridge->record.predefined || !config.bip.empty() || !bridge->users.empty() || !bridge->v4) return;
  os::IpPrefix subnet = bridge->v4->subnet();
  std::vector<os::IpPrefix> taken = taken_subnets(*locked, bridge_device(bridge->record));
  bool clash =
      std::any_of(taken.begin(), taken.end(), [&](const os::IpPrefix& other) { return other.overlaps(subnet); });
  if (!clash) return;
  bridge->record.ipam.clear();
  bridge->v4.reset();
  settle_ipam(*locked, bridge->record);
  bridge->record.user_subnet = false;
  prepare_pools(*bridge);
  database.put("networks", bridge->record.id, to_json(bridge->record));
}

void Networks::recover(std::span<const LiveContainer> live) {
  trace::Span span("network.recover");
  State& state = *state_;
  std::set<std::string> bridges, veths;
  for (Container& container : read_containers(state.config.state_dir)) {
    auto process = std::find_if(live.begin(), live.end(),
                                [&](const LiveContainer& one) { return one.container_id == container.id; });
    if (process == live.end() || !state.adopt(container, process->pid)) {
      state.forget_file(container.id);
      continue;
    }
    for (const Endpoint& endpoint : container.endpoints) veths.insert(endpoint.host_link);
    auto locked = state.tables.lock();
    locked->containers.insert_or_assign(container.id, std::move(container));
  }
  FAILPOINT("network.recover.after_adopt");
  state.settle_default_subnet();
  std::vector<std::string> networks;
  {
    auto locked = state.tables.lock();
    for (auto& [id, network] : locked->networks) {
      if (network.record.driver != "bridge" || network.record.config_only) continue;
      networks.push_back(id);
      bridges.insert(bridge_device(network.record));
    }
  }
  os::NetlinkSocket socket(NETLINK_ROUTE);
  remove_orphans(socket, bridges, veths, cat("proa:", state.config.table, ":"));
  for (const std::string& id : networks) {
    try {
      state.ensure_network(id);
    } catch (const Error& error) {
      // One broken network must not keep the others, and the daemon, from working.
      log::error("a network could not be restored", {{"network", id}, {"error", error.message()}});
    }
  }
  state.apply_firewall();
  state.firewall_watch.start(state.config.table, [&state] { state.restore_lost_firewall(); });
}

}  // namespace proa::network
