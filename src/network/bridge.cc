#include "network/bridge.h"

#include <fcntl.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "base/trace.h"
#include "os/file.h"

namespace proa::network {
namespace {

void write_link_sysctls(const BridgePlan& plan) {
  // 127.0.0.1:PORT of the host reaches containers by this bridge alone; render_firewall() keeps all others out.
  write_sysctl(cat("ipv4/conf/", plan.device, "/route_localnet"), "1");
  // Before the link is up: no router advertisement of a container configures the host (CVE-2020-13401).
  write_sysctl(cat("ipv6/conf/", plan.device, "/accept_ra"), "0");
  write_sysctl(cat("ipv6/conf/", plan.device, "/disable_ipv6"), plan.address6 ? "0" : "1");
}

}  // namespace

bool is_device_name(std::string_view name) {
  if (name.empty() || name.size() > 15 || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

void write_sysctl(std::string_view path, std::string_view value) {
  std::optional<os::Fd> file = os::try_open(cat("/proc/sys/net/", path), O_WRONLY);
  if (!file) return;
  in_context(cat("set net/", path, " to ", value), [&] { os::write_all(file->get(), value); });
}

namespace {
std::string_view forwarding_path(os::Family family) {
  return family == os::Family::V4 ? "/proc/sys/net/ipv4/ip_forward" : "/proc/sys/net/ipv6/conf/all/forwarding";
}
}  // namespace

bool forwarding_is_on(os::Family family) {
  std::optional<std::string> value = os::try_read_file(forwarding_path(family));
  return !value || trim(*value) != "0";
}

bool bridges_translate_ipv6() {
  return trim(os::try_read_file("/proc/sys/net/bridge/bridge-nf-call-ip6tables").value_or("0")) == "1";
}

void enable_forwarding(os::Family family) {
  if (!forwarding_is_on(family)) os::write_file(forwarding_path(family), "1");
}

int ensure_bridge(os::NetlinkSocket& socket, const BridgePlan& plan) {
  trace::Span span("network.bridge");
  span.set("name", plan.device);
  if (plan.address) span.set("address", plan.address->text());
  std::optional<os::Link> link = os::find_link(socket, plan.device);
  if (!link) {
    os::NetlinkBatch batch;
    // A MAC of its own: one taken from the first port would change, and break ARP caches, when that port goes.
    os::MacAddress mac{0x02, 0x42};
    if (plan.address) std::copy(plan.address->address.bytes(), plan.address->address.bytes() + 4, mac.begin() + 2);
    add_bridge(batch, {.name = plan.device, .mac = mac, .mtu = plan.mtu});
    if (!plan.alias.empty()) set_link_alias(batch, plan.device, plan.alias);
    socket.execute(batch);
    link = os::find_link(socket, plan.device);
    if (!link) throw Error(ErrorKind::Internal, cat("bridge ", plan.device, " vanished"));
    span.set("created", "true");
  } else if (link->kind != "bridge") {
    throw Error(ErrorKind::Conflict, cat("device ", plan.device, " exists and is no bridge"));
  }
  write_link_sysctls(plan);
  os::NetlinkBatch batch;
  std::vector<os::LinkAddress> present = os::list_addresses(socket);
  for (const auto& address : {plan.address, plan.address6}) {
    if (!address) continue;
    bool has = std::any_of(present.begin(), present.end(), [&](const os::LinkAddress& other) {
      return other.index == link->index && other.address == *address;
    });
    if (!has) add_address(batch, link->index, *address);
  }
  if (!link->up) set_link_up(batch, link->index);
  // What route_localnet is for 127.0.0.1: an answer that comes in here for [::1] is taken.
  if (plan.address6) add_local_route(batch, os::IpAddress::parse("::1").value(), link->index);
  socket.execute(batch);
  return link->index;
}

bool is_there(int index, std::string_view device) {
  char name[IF_NAMESIZE];
  return ::if_indextoname(static_cast<unsigned>(index), name) && device == name;
}

void remove_bridge(os::NetlinkSocket& socket, std::string_view device) {
  os::NetlinkBatch batch;
  delete_link(batch, device);
  for (int code : socket.try_execute(batch)) {
    if (code != 0 && code != ENODEV) os::fail(cat("delete bridge ", device), code);
  }
}

}  // namespace proa::network
