#include "network/netns_reserve.h"

#include "base/trace.h"
#include "network/bridge.h"

namespace proa::network {
namespace {

os::NewNetns make() {
  auto made = os::make_netns([&] {
    write_sysctl("ipv4/ip_unprivileged_port_start", "0");
    write_sysctl("ipv4/ping_group_range", "0 2147483647");
    // Interfaces are born without IPv6 unless their network has it (CVE-2024-32473); `lo` keeps ::1.
    write_sysctl("ipv6/conf/default/disable_ipv6", "1");
    write_sysctl("ipv6/conf/default/accept_ra", "0");
  });
  os::NetlinkBatch batch;
  constexpr int kLoopback = 1;
  set_link_up(batch, kLoopback);
  made.route->execute(batch);
  return made;
}

}  // namespace

NetnsReserve::Opened NetnsReserve::take(bool ipv6, bool embedded_dns) {
  trace::Span span("network.netns");
  Opened opened;
  if (std::unique_lock lock(mutex_, std::try_to_lock); lock && spare_) {
    opened.made = std::move(*spare_);
    spare_.reset();
  }
  span.set("kept_ready", opened.made.netns ? "true" : "false");
  if (!opened.made.netns) opened.made = make();
  if (!ipv6 && !embedded_dns) return opened;
  os::in_netns(opened.made.netns.get(), [&] {
    if (ipv6) write_sysctl("ipv6/conf/default/disable_ipv6", "0");
    if (embedded_dns) opened.dns = open_dns_sockets();
  });
  return opened;
}

void NetnsReserve::refill() {
  std::lock_guard guard(mutex_);
  if (!spare_) spare_ = make();
}

}  // namespace proa::network
