#include "os/host_info.h"

#include <linux/magic.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/text.h"
#include "os/fd.h"
#include "os/file.h"

namespace proa::os {
namespace {

utsname system_name() {
  utsname name{};
  check(::uname(&name), "uname");
  return name;
}

}  // namespace

HostInfo host_info() {
  HostInfo info;
  utsname name = system_name();
  info.kernel = name.release;
  info.architecture = name.machine;
  info.hostname = name.nodename;
  auto release = try_read_file("/etc/os-release");
  if (!release) release = try_read_file("/usr/lib/os-release");
  if (release) {
    info.os_name = os_release_value(*release, "PRETTY_NAME");
    info.os_version = os_release_value(*release, "VERSION_ID");
  }
  if (info.os_name.empty()) info.os_name = "Linux";
  info.cpus = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  struct sysinfo memory {};
  check(::sysinfo(&memory), "sysinfo");
  info.memory = static_cast<std::int64_t>(memory.totalram) * memory.mem_unit;
  struct statfs cgroups {};
  info.cgroup_unified = ::statfs("/sys/fs/cgroup", &cgroups) == 0 && cgroups.f_type == CGROUP2_SUPER_MAGIC;
  return info;
}

std::string go_architecture(std::string_view machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  if (machine == "i386" || machine == "i486" || machine == "i586" || machine == "i686") return "386";
  if (machine.starts_with("armv")) return "arm";
  if (machine == "loongarch64") return "loong64";
  return std::string(machine);
}

std::string os_release_value(std::string_view text, std::string_view key) {
  for (const auto& line : split(text, '\n')) {
    auto [name, value] = cut(trim(line), '=');
    if (name != key || !value) continue;
    std::string_view inner = *value;
    if (inner.size() >= 2 && (inner.front() == '"' || inner.front() == '\'') && inner.back() == inner.front()) {
      inner = inner.substr(1, inner.size() - 2);
    }
    return std::string(inner);
  }
  return "";
}

bool kernel_at_least(int major, int minor) {
  std::string release = system_name().release;
  auto [first, rest] = cut(release, '.');
  int have_major = parse_int<int>(first).value_or(0);
  std::string_view second = rest.value_or("");
  int have_minor = parse_int<int>(second.substr(0, second.find_first_not_of("0123456789"))).value_or(0);
  return have_major != major ? have_major > major : have_minor >= minor;
}

int last_capability() {
  static const int last = [] {
    auto text = try_read_file("/proc/sys/kernel/cap_last_cap", 64);
    return text ? parse_int<int>(trim(*text)).value_or(40) : 40;
  }();
  return last;
}

std::vector<int> parse_cpu_list(std::string_view text) {
  std::vector<int> out;
  text = trim(text);
  if (text.empty()) return out;
  for (const auto& part : split(text, ',')) {
    auto [first, last] = cut(part, '-');
    auto from = parse_int<int>(first);
    auto to = last ? parse_int<int>(*last) : from;
    if (!from || !to || *from < 0 || *to < *from || *to > 65535) return {};
    for (int cpu = *from; cpu <= *to; ++cpu) out.push_back(cpu);
  }
  return out;
}

}  // namespace proa::os
