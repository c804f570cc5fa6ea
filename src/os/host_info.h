// What this host is: for `docker info`, `docker version` and for choices that hang on the kernel.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace proa::os {

struct HostInfo {
  std::string kernel;        // "6.18.44-..." (uname -r)
  std::string architecture;  // "x86_64" (uname -m)
  std::string os_name;       // PRETTY_NAME of os-release: "Debian GNU/Linux 12 (bookworm)"
  std::string os_version;    // VERSION_ID: "12"
  std::string hostname;
  int cpus = 0;             // online
  std::int64_t memory = 0;  // bytes
  bool cgroup_unified = false;
};
HostInfo host_info();

// "amd64" for "x86_64" and so on, Go's names; what is unknown stays as it is.
std::string go_architecture(std::string_view machine);
// PRETTY_NAME="..." out of os-release; "" if it has none. Pure.
std::string os_release_value(std::string_view text, std::string_view key);
// True if the running kernel is at least major.minor.
bool kernel_at_least(int major, int minor);
// Every capability the kernel knows: the last one's number (/proc/sys/kernel/cap_last_cap).
int last_capability();
// "0-3,7" -> {0,1,2,3,7}. Bad text: empty. Pure.
std::vector<int> parse_cpu_list(std::string_view text);

}  // namespace proa::os
