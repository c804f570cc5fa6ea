// Networks of containers that are running: connect, disconnect, names, questions.
#include <linux/netlink.h>

#include <algorithm>
#include <cerrno>

#include "base/failpoint.h"
#include "base/id.h"
#include "base/rollback.h"
#include "base/text.h"
#include "base/trace.h"
#include "network/state.h"

namespace proa::network {
namespace {

// A copy of what the tables say, to work with while no lock is held.
Container copy_of(const Container& container) {
  Container copy;
  copy.id = container.id;
  copy.name = container.name;
  copy.hostname = container.hostname;
  copy.host = container.host;
  copy.netns = container.netns ? container.netns.duplicate() : os::Fd();
  copy.endpoints = container.endpoints;
  copy.ports = container.ports;
  copy.dns = container.dns;
  copy.embedded_dns = container.embedded_dns;
  return copy;
}

Container& running(Tables& now, const std::string& container_id) {
  auto found = now.containers.find(container_id);
  if (found == now.containers.end())
    throw Error(ErrorKind::Conflict, cat("container ", container_id, " is not running"));
  return found->second;
}

std::unique_ptr<os::NetlinkSocket> open_inside(int netns) {
  std::unique_ptr<os::NetlinkSocket> socket;
  os::in_netns(netns, [&] { socket = std::make_unique<os::NetlinkSocket>(NETLINK_ROUTE); });
  return socket;
}

std::string free_interface(const Container& container) {
  for (int i = 0;; ++i) {
    std::string name = cat("eth", i);
    auto has = [&](const Endpoint& endpoint) { return endpoint.interface == name; };
    if (std::none_of(container.endpoints.begin(), container.endpoints.end(), has)) return name;
  }
}

// Points the default route at the gateway endpoint's network.
void set_default_route(os::NetlinkSocket& inside, const Endpoint* gateway) {
  os::NetlinkBatch removal;
  delete_default_route(removal, os::Family::V4);
  delete_default_route(removal, os::Family::V6);
  inside.try_execute(removal);  // there may be none
  if (!gateway) return;
  auto link = find_link(inside, gateway->interface);
  if (!link) return;
  os::NetlinkBatch batch;
  if (auto v4 = os::IpAddress::parse(gateway->gateway)) add_default_route(batch, *v4, link->index);
  if (auto v6 = os::IpAddress::parse(gateway->ipv6_gateway)) add_default_route(batch, *v6, link->index);
  inside.execute(batch);
}

std::string gateway_id(const Container& container) {
  Tables any;
  const Endpoint* gateway = any.gateway_endpoint(container);
  return gateway ? gateway->id : "";
}

void check_connectable(const Container& container, const NetworkRecord& record) {
  if (record.driver == "host" || container.host) {
    throw Error(ErrorKind::Forbidden,
                "container cannot be disconnected from host network or connected to host network");
  }
  for (const Endpoint& other : container.endpoints) {
    if (other.network_id == record.id) {
      throw Error(ErrorKind::Forbidden,
                  cat("endpoint with name ", container.name, " already exists in network ", record.name));
    }
    if (other.interface.empty() || record.driver == "null") {
      throw Error(ErrorKind::Forbidden,
                  "container cannot be connected to multiple networks with one of the networks in private (none) mode");
    }
  }
  if (record.driver == "null")
    throw Error(ErrorKind::Forbidden, "container cannot be connected to network none while it runs");
}

SandboxRequest request_of(const Container& container) {
  return {.container_id = container.id,
          .container_name = container.name,
          .hostname = container.hostname,
          .endpoints = {},
          .ports = {},
          .dns = {}};
}

struct Entered {
  std::unique_ptr<os::NetlinkSocket> route;
  DnsSockets dns;
};

// What a new link needs that only a thread inside the container's namespace can open or write.
Entered enter_for_link(int netns, bool ipv6, bool embedded_dns) {
  Entered inside;
  os::in_netns(netns, [&] {
    inside.route = std::make_unique<os::NetlinkSocket>(NETLINK_ROUTE);
    write_sysctl("ipv6/conf/default/disable_ipv6", ipv6 ? "0" : "1");
    if (embedded_dns) inside.dns = open_dns_sockets();
  });
  return inside;
}

}  // namespace

Endpoint Networks::connect(const std::string& container_id, const EndpointRequest& request) {
  trace::Span span("network.connect");
  span.set("network", request.network);
  State& state = *state_;
  Container container;
  Endpoint endpoint;
  bool needs_dns = false;
  {
    auto locked = state.tables.lock();
    container = copy_of(running(*locked, container_id));
    const NetworkRecord& record = locked->get(request.network).record;
    check_connectable(container, record);
    endpoint = state.allocate(*locked, request_of(container), request);
    endpoint.interface = request.interface.empty() ? free_interface(container) : request.interface;
    needs_dns = is_user_defined(record) && !container.embedded_dns;
  }
  os::NetlinkSocket host(NETLINK_ROUTE);
  Rollback rollback;
  rollback.add([&] {
    auto locked = state.tables.lock();
    state.give_back(*locked, container.id, endpoint);
  });
  state.ensure_network(endpoint.network_id);
  state.ensure_firewall();
  std::string old_gateway = gateway_id(container);
  Container changed = copy_of(container);
  changed.endpoints.push_back(endpoint);
  bool moves = gateway_id(changed) != old_gateway;
  PlugPlan plan;
  {
    auto locked = state.tables.lock();
    plan = state.plug_plan(*locked, endpoint, false, moves && !container.ports.empty());
  }
  Entered inside = enter_for_link(container.netns.get(), !endpoint.ipv6.empty(), needs_dns);
  rollback.add([&] {
    os::NetlinkBatch batch;
    delete_link(batch, endpoint.host_link);
    host.try_execute(batch);
  });
  plug(host, container.netns.get(), *inside.route, plan);
  if (moves) {
    set_default_route(*inside.route, &changed.endpoints.back());
    state.unpublish(state.firewall_ports(container));
    state.publish(state.firewall_ports(changed));
  }
  if (needs_dns) {
    changed.embedded_dns = true;
    state.dns.add({container.id, std::move(inside.dns), state.upstream_for(changed), true});
  }
  if (changed.embedded_dns) state.announce(changed);
  auto locked = state.tables.lock();
  Container& kept = running(*locked, container_id);  // throws if it has ended meanwhile
  kept.endpoints = changed.endpoints;
  kept.embedded_dns = changed.embedded_dns;
  state.save(kept);
  rollback.commit();
  return endpoint;
}

Endpoint Networks::disconnect(const std::string& container_id, std::string_view network, bool force) {
  trace::Span span("network.disconnect");
  State& state = *state_;
  Container before, after;
  Endpoint endpoint;
  {
    auto locked = state.tables.lock();
    Network* found = locked->find(network);
    if (!found) throw Error(ErrorKind::NotFound, cat("network ", network, " not found"));
    const NetworkRecord& record = found->record;
    if (record.driver == "host") {
      throw Error(ErrorKind::Forbidden,
                  "container cannot be disconnected from host network or connected to host network");
    }
    auto container = locked->containers.find(container_id);
    auto not_connected = [&] {
      return Error(ErrorKind::Internal, cat("container ", container_id, " is not connected to network ", record.name));
    };
    if (container == locked->containers.end()) throw not_connected();
    auto& endpoints = container->second.endpoints;
    auto mine =
        std::find_if(endpoints.begin(), endpoints.end(), [&](const Endpoint& e) { return e.network_id == record.id; });
    if (mine == endpoints.end()) throw not_connected();
    before = copy_of(container->second);
    endpoint = *mine;
    endpoints.erase(mine);
    after = copy_of(container->second);
    state.save(container->second);
  }
  state.dns.with_names([&](Names& names) { names.remove(endpoint.network_id, container_id); });
  bool moves = gateway_id(before) != gateway_id(after);
  try {
    if (moves) state.unpublish(state.firewall_ports(before));
    os::NetlinkSocket host(NETLINK_ROUTE);
    os::NetlinkBatch batch;
    delete_link(batch, endpoint.host_link);
    for (int code : host.try_execute(batch)) {
      if (code != 0 && code != ENODEV) os::fail(cat("delete ", endpoint.host_link), code);
    }
    if (moves && after.netns) {
      auto inside = open_inside(after.netns.get());
      Tables any;
      set_default_route(*inside, any.gateway_endpoint(after));
      if (auto ports = state.firewall_ports(after); !ports.empty()) state.publish(ports);
    }
    if (after.embedded_dns) state.announce(after);
  } catch (const Error&) {
    if (!force) throw;
  }
  auto locked = state.tables.lock();
  state.give_back(*locked, container_id, endpoint);
  return endpoint;
}

std::vector<Endpoint> Networks::endpoints(const std::string& container_id) const {
  auto locked = state_->tables.lock();
  auto found = locked->containers.find(container_id);
  return found == locked->containers.end() ? std::vector<Endpoint>{} : found->second.endpoints;
}

std::vector<PortBinding> Networks::ports(const std::string& container_id) const {
  auto locked = state_->tables.lock();
  auto found = locked->containers.find(container_id);
  return found == locked->containers.end() ? std::vector<PortBinding>{} : found->second.ports;
}

os::Fd Networks::netns_of(const std::string& container_id) const {
  auto locked = state_->tables.lock();
  Container& container = running(*locked, container_id);
  return container.netns ? container.netns.duplicate() : os::Fd();
}

void Networks::rename(const std::string& container_id, const std::string& new_name) {
  std::string old_name;
  {
    auto locked = state_->tables.lock();
    auto found = locked->containers.find(container_id);
    if (found == locked->containers.end()) return;
    Container& container = found->second;
    old_name = container.name;
    container.name = new_name;
    for (Endpoint& endpoint : container.endpoints) {
      if (endpoint.dns_names.empty()) continue;
      std::erase(endpoint.dns_names, old_name);
      endpoint.dns_names.insert(endpoint.dns_names.begin(), new_name);
    }
    state_->save(container);
  }
  state_->dns.with_names([&](Names& names) { names.rename(container_id, old_name, new_name); });
}

}  // namespace proa::network
