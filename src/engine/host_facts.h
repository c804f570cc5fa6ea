// What specs depend on and only the host knows; read once at start.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace proa::engine {

struct HostFacts {
  std::string architecture = "amd64";  // Go's name
  int cpus = 1;
  std::vector<int> cpu_list, memory_nodes;
  bool cgroup_unified = false;
  int last_capability = 40;
  bool ping_group_range = true;           // the sysctl exists
  bool mqueue = true;                     // /dev/mqueue is mounted here
  std::vector<std::string> masked_extra;  // .../cpuN/thermal_throttle
};
HostFacts read_host_facts();

}  // namespace proa::engine
