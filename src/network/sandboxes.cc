// A container's side of Networks: its namespace, made and filled before any process exists, and given back.
#include <linux/netlink.h>

#include <algorithm>

#include "base/failpoint.h"
#include "base/id.h"
#include "base/rollback.h"
#include "base/text.h"
#include "base/trace.h"
#include "network/etc_files.h"
#include "network/iptables.h"
#include "network/state.h"
#include "os/file.h"

namespace proa::network {

BridgePlan Networks::State::bridge_plan(const Network& network) const {
  BridgePlan plan;
  plan.device = bridge_device(network.record);
  plan.alias = cat("proa:", config.table, ":", network.record.id);
  // An internal network's bridge has its address too: the host may reach its containers.
  if (network.v4) plan.address = os::IpPrefix{network.v4->gateway(), network.v4->subnet().length};
  if (network.v6) plan.address6 = os::IpPrefix{network.v6->gateway(), network.v6->subnet().length};
  plan.mtu = config.mtu;
  auto mtu = network.record.options.find(kMtu);
  if (mtu != network.record.options.end()) plan.mtu = parse_int<std::uint32_t>(mtu->second).value_or(plan.mtu);
  return plan;
}

int Networks::State::ensure_network(const std::string& id) {
  BridgePlan plan;
  {
    auto locked = tables.lock();
    Network& network = locked->get(id);
    plan = bridge_plan(network);
    // Somebody may have deleted it.
    if (network.bridge_index != 0 && is_there(network.bridge_index, plan.device)) return network.bridge_index;
  }
  std::lock_guard guard(bridge_mutex);
  os::NetlinkSocket socket(NETLINK_ROUTE);
  int index = ensure_bridge(socket, plan);
  admit_bridge(plan.device);
  if (config.ip_forward) {
    for (os::Family family : {os::Family::V4, os::Family::V6}) {
      if (family == os::Family::V6 && !plan.address6) continue;
      // The mark first: to have turned it on without the rules that go with it is the worse half.
      bool marked = config.state_dir.empty() || forwarding_is_ours(family) || forwarding_is_on(family);
      if (!marked) os::write_file(forwarding_mark(family), "1");
      enable_forwarding(family);
    }
  }
  auto locked = tables.lock();
  locked->get(id).bridge_index = index;
  replug(*locked, id, index);
  return index;
}

namespace {

void check_endpoint_request(const NetworkRecord& record, const EndpointRequest& request) {
  if (!is_user_defined(record)) {
    if (!request.ipv4.empty() || !request.ipv6.empty()) {
      throw Error(ErrorKind::InvalidArgument, "user specified IP address is supported on user defined networks only");
    }
    if (!request.aliases.empty()) {
      throw Error(ErrorKind::InvalidArgument, "network-scoped aliases are only supported for user-defined networks");
    }
  } else if ((!request.ipv4.empty() || !request.ipv6.empty()) && !record.user_subnet) {
    throw Error(ErrorKind::InvalidArgument,
                "user specified IP address is supported only when connecting to networks with user configured subnets");
  }
}

os::IpAddress take_address(AddressPool& pool, const std::string& wanted, const NetworkRecord& record) {
  if (wanted.empty()) {
    if (auto address = pool.take()) return *address;
    throw Error(ErrorKind::Unavailable,
                cat("no available IPv", pool.subnet().address.is_v4() ? 4 : 6,
                    " addresses on this network's address pools: ", record.name, " (", record.id, ")"));
  }
  auto address = os::IpAddress::parse(wanted);
  if (!address) throw Error(ErrorKind::InvalidArgument, cat("invalid IP address: ", wanted));
  if (!pool.subnet().contains(*address)) {
    throw Error(ErrorKind::InvalidArgument,
                cat("invalid endpoint settings:\nno configured subnet contains IP address ", wanted));
  }
  if (!pool.take(*address)) throw Error(ErrorKind::Forbidden, "Address already in use");
  return *address;
}

// The kernel translates addresses within a family, and no process stands in between to do more.
void check_reachable(const PortBinding& port, const Endpoint& endpoint, std::string_view name) {
  bool v6 = port.host_ip.find(':') != std::string::npos;
  std::string reason;
  if ((v6 ? endpoint.ipv6 : endpoint.ipv4).empty()) {
    reason = cat("the container has no IPv", v6 ? "6" : "4", " address on network ", endpoint.network_name,
                 v6 ? ": use a network made with --ipv6" : "");
  } else if (port.host_ip == "::1" && bridges_translate_ipv6()) {
    reason =
        "the kernel sends nothing back to [::1] while net.bridge.bridge-nf-call-ip6tables is 1: set it to 0, or "
        "publish "
        "on 127.0.0.1";
  }
  if (reason.empty()) return;
  std::string host = v6 ? cat("[", port.host_ip, "]") : port.host_ip;
  throw Error(ErrorKind::InvalidArgument, cat("driver failed programming external connectivity on endpoint ", name,
                                              ": Bind for ", host, ":", port.host_port, " failed: ", reason));
}

void add_name(std::vector<std::string>& names, std::string_view name) {
  if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
}

std::string next_interface(const std::vector<Endpoint>& taken) {
  for (int i = 0;; ++i) {
    std::string name = cat("eth", i);
    if (std::none_of(taken.begin(), taken.end(), [&](const Endpoint& e) { return e.interface == name; })) return name;
  }
}

}  // namespace

Endpoint Networks::State::allocate(Tables& now, const SandboxRequest& who, const EndpointRequest& request) {
  Network& network = now.get(request.network);
  const NetworkRecord& record = network.record;
  if (record.config_only)
    throw Error(ErrorKind::Forbidden, cat("cannot connect container to network ", record.name, ": configuration only"));
  check_endpoint_request(record, request);
  Endpoint endpoint;
  endpoint.id = new_id();
  endpoint.network_id = record.id;
  endpoint.network_name = record.name;
  endpoint.gateway_priority = request.gateway_priority;
  endpoint.aliases = request.aliases;
  endpoint.links = request.links;
  if (record.driver == "bridge") {
    free_rested(network, who.container_id);
    std::optional<os::IpAddress> v4, v6;
    if (network.v4) v4 = take_address(*network.v4, request.ipv4, record);
    try {
      if (network.v6) v6 = take_address(*network.v6, request.ipv6, record);
      os::MacAddress mac = mac_for(v4 ? *v4 : *v6);
      if (!request.mac.empty()) {
        auto wanted = os::parse_mac(request.mac);
        if (!wanted) throw Error(ErrorKind::InvalidArgument, cat("invalid MAC address: ", request.mac));
        mac = *wanted;
      }
      endpoint.mac = os::to_text(mac);
    } catch (...) {
      if (v4) network.v4->give_back(*v4);
      if (v6) network.v6->give_back(*v6);
      throw;
    }
    if (v4) {
      endpoint.ipv4 = v4->text();
      endpoint.prefix = network.v4->subnet().length;
      if (!record.internal) endpoint.gateway = network.v4->gateway().text();
    }
    if (v6) {
      endpoint.ipv6 = v6->text();
      endpoint.ipv6_prefix = network.v6->subnet().length;
      if (!record.internal) endpoint.ipv6_gateway = network.v6->gateway().text();
    }
    endpoint.host_link = new_host_link();
    if (is_user_defined(record)) {
      add_name(endpoint.dns_names, who.container_name);
      for (const std::string& alias : request.aliases) add_name(endpoint.dns_names, alias);
      add_name(endpoint.dns_names, short_id(who.container_id));
      add_name(endpoint.dns_names, who.hostname);
    }
  }
  network.users.insert(who.container_id);
  return endpoint;
}

std::vector<std::string> Networks::State::reserve(const SandboxRequest& request, Container& container) {
  std::vector<std::string> bridged;
  auto locked = tables.lock();
  if (locked->containers.contains(container.id)) {
    throw Error(ErrorKind::Conflict, cat("container ", container.id, " already has a network"));
  }
  for (const EndpointRequest& wanted : request.endpoints) {
    Endpoint endpoint = allocate(*locked, request, wanted);
    const NetworkRecord& record = locked->get(endpoint.network_id).record;
    if (record.driver == "bridge") {
      endpoint.interface = wanted.interface.empty() ? next_interface(container.endpoints) : wanted.interface;
      bridged.push_back(record.id);
      container.embedded_dns = container.embedded_dns || is_user_defined(record);
    }
    container.host = container.host || record.driver == "host";
    container.endpoints.push_back(std::move(endpoint));
  }
  if (container.endpoints.size() > 1 && bridged.size() != container.endpoints.size()) {
    throw Error(ErrorKind::InvalidArgument,
                "conflicting options: cannot attach both user-defined and non-user-defined network-modes");
  }
  reserve_ports(*locked, request, container);
  return bridged;
}

void Networks::State::reserve_ports(Tables& now, const SandboxRequest& request, Container& container) {
  const Endpoint* gateway = now.gateway_endpoint(container);
  if (request.ports.empty() || !gateway) return;
  std::string host_ip = config.default_host_ip;
  const NetworkRecord& record = now.get(gateway->network_id).record;
  auto option = record.options.find("com.docker.network.bridge.host_binding_ipv4");
  if (option != record.options.end()) host_ip = option->second;
  std::vector<std::string> everywhere;
  if (!host_ip.empty() && host_ip != "0.0.0.0") {
    everywhere = {host_ip};
  } else {
    if (!gateway->ipv4.empty()) everywhere.emplace_back("0.0.0.0");
    if (!gateway->ipv6.empty()) everywhere.emplace_back("::");
  }
  std::string endpoint = cat(container.name, " (", gateway->id, ")");
  container.ports = now.ports.reserve(request.ports, everywhere, endpoint);
  for (const PortBinding& port : container.ports) check_reachable(port, *gateway, endpoint);
}

void Networks::State::give_back(Tables& now, const std::string& container_id, const Endpoint& endpoint) {
  auto found = now.networks.find(endpoint.network_id);
  if (found == now.networks.end()) return;
  Network& network = found->second;
  if (!endpoint.host_link.empty())
    network.resting.push_back({container_id, endpoint.host_link, endpoint.ipv4, endpoint.ipv6});
  if (auto user = network.users.find(container_id); user != network.users.end()) network.users.erase(user);
}

// What rests until its link is gone. A container that starts again takes its own link away, to have its own address.
// The kernel works them off in their order: behind the first that is still there none is asked for.
void Networks::State::free_rested(Network& network, const std::string& container_id) {
  if (network.resting.empty()) return;
  os::NetlinkSocket socket(NETLINK_ROUTE);
  bool oldest_are_gone = true;
  std::erase_if(network.resting, [&](const RestingEndpoint& old) {
    bool own = old.container_id == container_id;
    if (!own && !oldest_are_gone) return false;
    if (find_link(socket, old.host_link)) {
      oldest_are_gone = false;
      if (!own) return false;
      os::NetlinkBatch batch;
      delete_link(batch, old.host_link);
      try {
        socket.execute(batch);
      } catch (const Error&) {
        // the kernel was quicker
      }
    }
    if (auto v4 = os::IpAddress::parse(old.ipv4); v4 && network.v4) network.v4->give_back(*v4);
    if (auto v6 = os::IpAddress::parse(old.ipv6); v6 && network.v6) network.v6->give_back(*v6);
    return true;
  });
}

// docker's order: priority, then networks that lead outside, then the name.
const Endpoint* Tables::gateway_endpoint(const Container& container) {
  const Endpoint* best = nullptr;
  auto before = [](const Endpoint& a, const Endpoint& b) {
    if (a.gateway_priority != b.gateway_priority) return a.gateway_priority > b.gateway_priority;
    return a.network_name < b.network_name;
  };
  for (const Endpoint& endpoint : container.endpoints) {
    if (endpoint.gateway.empty() && endpoint.ipv6_gateway.empty()) continue;
    if (!best || before(endpoint, *best)) best = &endpoint;
  }
  return best;
}

PlugPlan Networks::State::plug_plan(Tables& now, const Endpoint& endpoint, bool is_gateway, bool has_ports) {
  Network& network = now.get(endpoint.network_id);
  PlugPlan plan;
  plan.host_link = endpoint.host_link;
  plan.bridge = bridge_device(network.record);
  plan.bridge_index = network.bridge_index;
  plan.interface = endpoint.interface;
  plan.hairpin = has_ports;
  plan.isolated = !option_bool(network.record, "com.docker.network.bridge.enable_icc", true);
  plan.mac = os::parse_mac(endpoint.mac).value_or(os::MacAddress{});
  if (auto v4 = os::IpAddress::parse(endpoint.ipv4)) plan.address = os::IpPrefix{*v4, endpoint.prefix};
  if (auto v6 = os::IpAddress::parse(endpoint.ipv6)) plan.address6 = os::IpPrefix{*v6, endpoint.ipv6_prefix};
  if (is_gateway) {
    plan.gateway = os::IpAddress::parse(endpoint.gateway);
    plan.gateway6 = os::IpAddress::parse(endpoint.ipv6_gateway);
  }
  plan.mtu = bridge_plan(network).mtu;
  return plan;
}

void Networks::State::plug_all(const Container& container, os::NetlinkSocket& inside) {
  std::vector<PlugPlan> plans;
  {
    auto locked = tables.lock();
    const Endpoint* gateway = locked->gateway_endpoint(container);
    for (const Endpoint& endpoint : container.endpoints) {
      plans.push_back(
          plug_plan(*locked, endpoint, &endpoint == gateway, &endpoint == gateway && !container.ports.empty()));
    }
  }
  os::NetlinkSocket host(NETLINK_ROUTE);
  for (const PlugPlan& plan : plans) plug(host, container.netns.get(), inside, plan);
}

bool Networks::State::may_ask_outside(Tables& now, const Container& container) {
  return std::any_of(container.endpoints.begin(), container.endpoints.end(), [&](const Endpoint& endpoint) {
    auto network = now.networks.find(endpoint.network_id);
    return network != now.networks.end() && !network->second.record.internal;
  });
}

std::vector<std::string> Networks::State::upstream_for(const Container& container) const {
  if (!container.dns.empty()) return container.dns;
  if (!config.dns.empty()) return config.dns;
  return nameservers(host_resolv_conf());
}

std::vector<FirewallPort> Networks::State::firewall_ports(const Container& container) {
  std::vector<FirewallPort> ports;
  Tables unused;
  const Endpoint* gateway = unused.gateway_endpoint(container);
  if (!gateway) return ports;
  for (const PortBinding& binding : container.ports) {
    bool v6 = binding.host_ip.find(':') != std::string::npos;
    const std::string& address = v6 ? gateway->ipv6 : gateway->ipv4;
    if (!address.empty()) ports.push_back({address, binding});
  }
  return ports;
}

void Networks::State::announce(const Container& container) {
  bool forward;
  {
    auto locked = tables.lock();
    forward = may_ask_outside(*locked, container);
  }
  dns.set_forward(container.id, forward);
  dns.with_names([&](Names& names) {
    for (const Endpoint& endpoint : container.endpoints) {
      if (endpoint.dns_names.empty()) continue;
      names.add({endpoint.network_id, endpoint.network_name, container.id, endpoint.dns_names,
                 os::IpAddress::parse(endpoint.ipv4), os::IpAddress::parse(endpoint.ipv6), endpoint.links});
    }
  });
}

void Networks::State::forget_names(const Container& container) {
  dns.with_names([&](Names& names) {
    for (const Endpoint& endpoint : container.endpoints) names.remove(endpoint.network_id, container.id);
  });
}

namespace {

bool has_ipv6(const Container& container) {
  return std::any_of(container.endpoints.begin(), container.endpoints.end(),
                     [](const Endpoint& endpoint) { return !endpoint.ipv6.empty(); });
}

Sandbox sandbox_of(const Container& container) {
  Sandbox sandbox;
  sandbox.host = container.host;
  if (container.netns) sandbox.netns = container.netns.duplicate();
  sandbox.endpoints = container.endpoints;
  sandbox.ports = container.ports;
  sandbox.embedded_dns = container.embedded_dns;
  return sandbox;
}

}  // namespace

Sandbox Networks::connect_new(const SandboxRequest& request) {
  trace::Span span("network.sandbox");
  State& state = *state_;
  Container container;
  container.id = request.container_id;
  container.name = request.container_name;
  container.hostname = request.hostname;
  container.dns = request.dns;
  Rollback rollback;  // after what its steps use: it is undone first
  rollback.add([&] {
    auto locked = state.tables.lock();
    for (const Endpoint& endpoint : container.endpoints) state.give_back(*locked, container.id, endpoint);
    locked->ports.give_back(container.ports);
  });
  std::vector<std::string> bridged = state.reserve(request, container);
  FAILPOINT("network.sandbox.after_allocate");
  if (container.host) {
    auto locked = state.tables.lock();
    state.save(container);
    Sandbox sandbox = sandbox_of(container);
    rollback.commit();
    locked->containers.insert_or_assign(container.id, std::move(container));
    return sandbox;
  }

  for (const std::string& id : bridged) state.ensure_network(id);
  if (!bridged.empty()) state.ensure_firewall();
  NetnsReserve::Opened opened = state.netns_reserve.take(has_ipv6(container), container.embedded_dns);
  container.netns = std::move(opened.made.netns);
  if (!bridged.empty()) state.plug_all(container, *opened.made.route);
  FAILPOINT("network.sandbox.after_plug");
  if (container.embedded_dns) {
    state.dns.add({container.id, std::move(opened.dns), state.upstream_for(container), true});
    rollback.add([&] { state.dns.remove(container.id); });
    state.announce(container);
    rollback.add([&] { state.forget_names(container); });
  }
  if (std::vector<FirewallPort> ports = state.firewall_ports(container); !ports.empty()) {
    state.publish(ports);
    rollback.add([&state, ports] { state.unpublish(ports); });
  }
  FAILPOINT("network.sandbox.after_publish");
  state.save(container);
  Sandbox sandbox = sandbox_of(container);
  auto locked = state.tables.lock();
  rollback.commit();
  locked->containers.insert_or_assign(container.id, std::move(container));
  return sandbox;
}

void Networks::State::detach(Container& container) {
  std::exception_ptr failure;
  try {
    unpublish(firewall_ports(container));
  } catch (...) {
    failure = std::current_exception();
  }
  if (container.embedded_dns) {
    dns.remove(container.id);
    forget_names(container);
  }
  {
    auto locked = tables.lock();
    for (const Endpoint& endpoint : container.endpoints) give_back(*locked, container.id, endpoint);
    locked->ports.give_back(container.ports);
  }
  forget_file(container.id);
  if (failure) std::rethrow_exception(failure);
}

void Networks::keep_ready() { state_->netns_reserve.refill(); }

void Networks::release(const std::string& container_id) {
  trace::Span span("network.release");
  Container container;
  {
    auto locked = state_->tables.lock();
    auto node = locked->containers.extract(container_id);
    if (node.empty()) return;
    container = std::move(node.mapped());
  }
  container.netns.reset();  // the kernel removes the namespace and its links in the background
  state_->detach(container);
}

}  // namespace proa::network
