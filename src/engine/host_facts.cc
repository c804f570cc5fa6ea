#include "engine/host_facts.h"

#include "base/text.h"
#include "os/file.h"
#include "os/host_info.h"

namespace proa::engine {

HostFacts read_host_facts() {
  HostFacts facts;
  auto host = os::host_info();
  facts.architecture = os::go_architecture(host.architecture);
  facts.cpus = host.cpus;
  facts.cgroup_unified = host.cgroup_unified;
  facts.last_capability = os::last_capability();
  auto list = [](const char* path) {
    auto text = os::try_read_file(path);
    return text ? os::parse_cpu_list(trim(*text)) : std::vector<int>{};
  };
  facts.cpu_list = list("/sys/devices/system/cpu/online");
  facts.memory_nodes = list("/sys/devices/system/node/online");
  if (facts.memory_nodes.empty()) facts.memory_nodes = {0};
  facts.ping_group_range = os::exists("/proc/sys/net/ipv4/ping_group_range");
  facts.mqueue = os::exists("/dev/mqueue");
  for (int cpu : list("/sys/devices/system/cpu/possible")) {
    auto path = cat("/sys/devices/system/cpu/cpu", std::to_string(cpu), "/thermal_throttle");
    if (os::exists(path)) facts.masked_extra.push_back(std::move(path));
  }
  return facts;
}

}  // namespace proa::engine
