#include "runtime/net_devices.h"

#include <linux/netlink.h>

#include <set>

#include "base/error.h"
#include "base/text.h"
#include "base/trace.h"
#include "os/netns.h"
#include "runtime/namespaces.h"

namespace proa::runtime {
namespace {

// dev_valid_name() of the kernel, without the template that '%' would be.
bool can_be_a_name(const std::string& name) {
  if (name.empty() || name.size() >= 16 || name == "." || name == "..") return false;
  return name.find_first_of("/:% \t\n\v\f\r") == name.npos && name.find('\0') == name.npos;
}

const std::string& name_inside(const std::string& host_name, const oci::NetDevice& device) {
  return device.name.empty() ? host_name : device.name;
}

os::Fd network_namespace(const oci::Linux& linux, pid_t pid) {
  for (const auto& space : linux.namespaces) {
    if (space.type == "network" && !space.path.empty()) return open_namespace(space.path);
  }
  return os::netns_of_process(pid);
}

void move_one(int netns, const std::string& host_name, const std::string& name) {
  os::NetlinkSocket host(NETLINK_ROUTE);
  auto link = os::find_link(host, host_name);
  if (!link) throw Error(ErrorKind::NotFound, cat("there is no network device ", quoted(host_name)));
  // The kernel would move it first and then find the name taken: with the namespace the device would be gone.
  os::in_netns(netns, [&] {
    os::NetlinkSocket inside(NETLINK_ROUTE);
    if (os::find_link(inside, name)) {
      throw Error(ErrorKind::Conflict, cat("there is a network device ", quoted(name), " in the container already"));
    }
  });
  auto addresses = os::list_addresses(host);
  os::NetlinkBatch move;
  os::move_link(move, link->index, netns, name);
  host.execute(move);
  os::in_netns(netns, [&] {
    os::NetlinkSocket inside(NETLINK_ROUTE);
    auto moved = os::find_link(inside, name);
    if (!moved) throw Error(ErrorKind::Internal, cat("network device ", quoted(name), " has gone"));
    os::NetlinkBatch batch;
    for (const auto& one : addresses) {
      if (one.index == link->index && one.configured) os::add_address(batch, moved->index, one.address);
    }
    os::set_link_up(batch, moved->index);
    inside.execute(batch);
  });
}

}  // namespace

void check_net_devices(const oci::Linux& linux) {
  std::set<std::string> names;
  for (const auto& [host_name, device] : linux.net_devices) {
    const auto& name = name_inside(host_name, device);
    for (const auto& one : {host_name, name}) {
      if (!can_be_a_name(one))
        throw Error(ErrorKind::InvalidArgument, cat("invalid network device name ", quoted(one)));
    }
    if (!names.insert(name).second) {
      throw Error(ErrorKind::InvalidArgument, cat("two network devices would be called ", quoted(name)));
    }
  }
}

void move_net_devices(const oci::Linux& linux, pid_t pid) {
  if (linux.net_devices.empty()) return;
  os::Fd netns = network_namespace(linux, pid);
  for (const auto& wanted : linux.net_devices) {
    const auto& host_name = wanted.first;
    const auto& name = name_inside(host_name, wanted.second);
    trace::Span span("runtime.net_device");
    span.set("device", host_name);
    span.set("name", name);
    in_context(cat("network device ", quoted(host_name)), [&] { move_one(netns.get(), host_name, name); });
  }
}

}  // namespace proa::runtime
