// Where the kernel's control groups are, and the files of one of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace proa::os {

// The hierarchies below `root`. Version 2 only: `unified`, and `hierarchies` is empty. Version 1 and hybrid: one entry
// per mounted directory ("cpu,cpuacct" counts once), the named systemd hierarchy included, the unified one not.
struct CgroupLayout {
  std::string root = "/sys/fs/cgroup";
  bool unified = false;
  struct Hierarchy {
    std::string directory;                 // below root: "memory", "cpu,cpuacct", "systemd"
    std::vector<std::string> controllers;  // "cpu", "cpuacct"; "name=systemd"
  };
  std::vector<Hierarchy> hierarchies;

  const Hierarchy* hierarchy_of(std::string_view controller) const;  // nullptr: not mounted, or version 2
  // The directory of `controller` for group `path`; nullopt where this host does not have it. (v2: one for all.)
  std::optional<std::string> directory(std::string_view controller, std::string_view path) const;
};
CgroupLayout find_cgroups(std::string root = "/sys/fs/cgroup");

// Reads a control file's integer; "max" and a missing file are nullopt.
std::optional<std::uint64_t> read_cgroup_number(const std::string& file);
// The value behind `key` in a "key value" table (memory.stat, memory.events, cpu.stat).
std::optional<std::uint64_t> cgroup_table_value(std::string_view text, std::string_view key);
// Plain write of one value, one system call; throws with the file's name.
void write_cgroup_file(const std::string& file, std::string_view value);
std::vector<int> read_cgroup_pids(const std::string& file);

// The cgroup v1 (per controller) or v2 ("") path of a process, from /proc/PID/cgroup. Pure on its text.
std::optional<std::string> parse_proc_cgroup(std::string_view text, std::string_view controller);

}  // namespace proa::os
