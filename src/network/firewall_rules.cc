// Networks and the firewall: one transaction at a time; the rules are always a function of the state.
#include <linux/netlink.h>

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "base/trace.h"
#include "network/state.h"
#include "os/file.h"

namespace proa::network {
namespace {

bool same_port(const FirewallPort& a, const FirewallPort& b) {
  return a.container_address == b.container_address && a.binding == b.binding;
}

}  // namespace

// Kept beside the sandboxes: it holds for as long as the kernel does.
bool Networks::State::forwarding_is_ours(os::Family family) const {
  return !config.state_dir.empty() && os::exists(forwarding_mark(family));
}

std::string Networks::State::forwarding_mark(os::Family family) const {
  return os::path_join(config.state_dir, family == os::Family::V4 ? "ip_forward" : "ip6_forward");
}

void Networks::State::apply_firewall_locked() {
  trace::Span span("network.firewall");
  FirewallInput input;
  input.table = config.table;
  input.ports = published;
  input.drop_foreign_forwarding = forwarding_is_ours(os::Family::V4);
  input.drop_foreign_forwarding6 = forwarding_is_ours(os::Family::V6);
  {
    auto locked = tables.lock();
    for (auto& [id, network] : locked->networks) {
      const NetworkRecord& record = network.record;
      if (record.driver != "bridge" || record.config_only) continue;
      FirewallBridge bridge;
      bridge.device = bridge_device(record);
      if (network.v4) bridge.subnet = network.v4->subnet().text();
      if (network.v6) bridge.subnet6 = network.v6->subnet().text();
      bridge.internal = record.internal;
      bridge.masquerade = option_bool(record, "com.docker.network.bridge.enable_ip_masquerade", true);
      bridge.inter_container = option_bool(record, "com.docker.network.bridge.enable_icc", true);
      input.bridges.push_back(std::move(bridge));
    }
  }
  std::string script = render_firewall(input);
  span.set("table", config.table);
  span.set("bridges", static_cast<std::int64_t>(input.bridges.size()));
  span.set("ports", static_cast<std::int64_t>(input.ports.size()));
  in_context("apply firewall rules", [&] { os::nft_apply(script); });
  firewall_ready = true;
}

void Networks::State::apply_firewall() {
  std::lock_guard guard(firewall_mutex);
  apply_firewall_locked();
}

void Networks::State::ensure_firewall() {
  std::lock_guard guard(firewall_mutex);
  if (!firewall_ready) apply_firewall_locked();
}

// After somebody deleted a table of our name: us, replacing it, or a stranger.
void Networks::State::restore_lost_firewall() {
  std::lock_guard guard(firewall_mutex);
  if (!firewall_ready) return;
  if (os::nft_query({"list", "tables", "ip"}).find(cat("table ip ", config.table, "\n")) != std::string::npos) return;
  log::warn("the firewall rules were removed from outside; they are put back", {{"table", config.table}});
  apply_firewall_locked();
}

void Networks::State::change_ports_locked(os::NftChange change, const std::vector<FirewallPort>& ports) {
  if (!firewall_ready) return apply_firewall_locked();
  try {
    if (!nft_socket) nft_socket = std::make_unique<os::NetlinkSocket>(NETLINK_NETFILTER);
    for (os::Family family : {os::Family::V4, os::Family::V6}) {
      nft_change(*nft_socket, family, config.table, change, port_elements(ports, family));
    }
  } catch (const Error&) {
    // Someone has flushed or edited our table: it is made anew, whole, from what we know.
    apply_firewall_locked();
  }
}

void Networks::State::publish(const std::vector<FirewallPort>& ports) {
  trace::Span span("network.ports");
  std::vector<std::string> rules;
  for (const FirewallPort& port : ports) {
    rules.push_back(cat(port.binding.host_ip, ":", port.binding.host_port, "/", port.binding.protocol, " -> ",
                        port.container_address, ":", port.binding.container_port));
    if (rules.size() == 16) break;
  }
  span.set("rules", join(rules, ", "));
  span.set("count", static_cast<std::int64_t>(ports.size()));
  std::lock_guard guard(firewall_mutex);
  published.insert(published.end(), ports.begin(), ports.end());
  try {
    change_ports_locked(os::NftChange::Add, ports);
  } catch (...) {
    std::erase_if(published, [&](const FirewallPort& have) {
      return std::any_of(ports.begin(), ports.end(), [&](const FirewallPort& port) { return same_port(have, port); });
    });
    throw;
  }
}

void Networks::State::unpublish(const std::vector<FirewallPort>& ports) {
  if (ports.empty()) return;
  std::lock_guard guard(firewall_mutex);
  std::erase_if(published, [&](const FirewallPort& have) {
    return std::any_of(ports.begin(), ports.end(), [&](const FirewallPort& port) { return same_port(have, port); });
  });
  change_ports_locked(os::NftChange::Remove, ports);
}

}  // namespace proa::network
