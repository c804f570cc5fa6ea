#include "network/plug.h"

#include "base/id.h"
#include "base/text.h"
#include "base/trace.h"

namespace proa::network {
namespace {

// The pair, and the host side up.
int make_veth(os::NetlinkSocket& host, int netns, os::NetlinkSocket& inside, const PlugPlan& plan) {
  trace::Span span("network.veth");
  span.set("name", plan.host_link);
  span.set("peer", plan.interface);
  span.set("bridge", plan.bridge);
  span.set("mac", os::to_text(plan.mac));
  os::NetlinkBatch batch;
  add_veth(batch, {.name = plan.host_link,
                   .bridge = plan.bridge_index,
                   .peer_name = plan.interface,
                   .peer_netns = netns,
                   .peer_mac = plan.mac,
                   .mtu = plan.mtu});
  set_bridge_port_up(batch, {.name = plan.host_link, .hairpin = plan.hairpin, .isolated = plan.isolated});
  host.execute(batch);
  // Asked, not assumed: some kernels put tunnel devices into every namespace, and none takes a wish for the peer alone.
  std::optional<os::Link> link = find_link(inside, plan.interface);
  if (!link) throw Error(ErrorKind::Internal, cat("interface ", plan.interface, " vanished"));
  return link->index;
}

void configure(os::NetlinkSocket& inside, const PlugPlan& plan, int index) {
  trace::Span span("network.address");
  span.set("interface", plan.interface);
  if (plan.address) span.set("address", plan.address->text());
  if (plan.address6) span.set("address6", plan.address6->text());
  os::NetlinkBatch batch;
  if (plan.address) add_address(batch, index, *plan.address);
  if (plan.address6) add_address(batch, index, *plan.address6);
  set_link_up(batch, index);
  if (plan.gateway) add_default_route(batch, *plan.gateway, index);
  if (plan.gateway6) add_default_route(batch, *plan.gateway6, index);
  if (plan.gateway) {
    trace::Span route("network.route");  // part of the same message
    route.set("to", "default");
    route.set("gateway", plan.gateway->text());
  }
  inside.execute(batch);
}

}  // namespace

int plug(os::NetlinkSocket& host, int netns, os::NetlinkSocket& inside, const PlugPlan& plan) {
  int index = make_veth(host, netns, inside, plan);
  configure(inside, plan, index);
  os::NetlinkBatch batch;
  settle_link(batch, plan.host_link);
  settle_link(batch, plan.bridge);  // its carrier came with this port, if it is the first
  host.execute(batch);
  return index;
}

std::string new_host_link() {
  std::uint8_t bytes[4];
  fill_random(bytes);
  return cat(kHostLinkPrefix, to_hex(bytes));
}

}  // namespace proa::network
