// A container's control group: its directories in every hierarchy of the host (v1), or its one directory (v2).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "oci/runtime_spec.h"
#include "os/cgroup_dir.h"
#include "os/fd.h"
#include "runtime/resctrl.h"

namespace proa::runtime {

struct CgroupHandle {
  os::CgroupLayout layout;
  std::string path;          // "/proa/<id>", below each hierarchy's root; "" : the container has no group of its own
  std::string unit = {};     // "proa-<id>.scope": systemd made it; "" : we did
  std::string systemd = {};  // whose systemd: the path of its socket
  std::map<std::string, std::string> parts =
      {};                                    // v1, exec --cgroup: a path below `path`, by the hierarchy's directory
  std::optional<ResctrlGroup> resctrl = {};  // beside the groups: linux.intelRdt
};
// Every directory of the group; one on v2.
std::vector<std::string> directories(const CgroupHandle& cgroup);
Json to_json(const CgroupHandle& cgroup);
CgroupHandle cgroup_from_json(const Json& value);

// PARENT. Makes the directories and writes the limits, before any process is in them. Controllers this host lacks are
// left out; a limit that is asked for and has no controller is a warning.
struct CgroupOptions {
  std::string unit = {}, systemd = {};  // the scope of systemd's whose directory it is
  bool skip_devices = false;            // no rules for devices: the kernel lets only root make them
};
CgroupHandle create_cgroup(const os::CgroupLayout& layout, std::string path, const oci::Resources* resources,
                           std::vector<std::string>& warnings, CgroupOptions options = {});
// v2: the directory's descriptor for CLONE_INTO_CGROUP; empty on v1.
os::Fd open_for_clone(const CgroupHandle& cgroup);
// CHILD, v1: this process (alone in its thread group) moves itself by writing 0 to `tasks`, which waits for no RCU
// grace period (performance.md 1.4). Nothing to do on v2.
void join_cgroup(const CgroupHandle& cgroup);

// docker update. Returns what was left out, in words.
std::vector<std::string> update_cgroup(const CgroupHandle& cgroup, oci::Resources resources);
std::vector<pid_t> pids(const CgroupHandle& cgroup);  // children groups included
void freeze(const CgroupHandle& cgroup);              // docker pause; returns when frozen
void thaw(const CgroupHandle& cgroup);
bool is_frozen(const CgroupHandle& cgroup);
// Signals every process in it (SIGKILL on v2 by cgroup.kill; v1 frozen meanwhile so that none escapes by forking).
void kill_all(const CgroupHandle& cgroup, int signal);
// How many processes the OOM killer has killed in it.
std::uint64_t oom_kills(const CgroupHandle& cgroup);
// Removes the directories; a group that is still busy is tried again for up to a second. False: it still is.
bool destroy_cgroup(const CgroupHandle& cgroup);

struct BlockIo {
  std::uint64_t major = 0, minor = 0;
  std::string op;
  std::uint64_t value = 0;
};
struct Stats {
  std::uint64_t memory_usage = 0, memory_max_usage = 0, memory_limit = 0, memory_failcnt = 0;
  std::vector<std::pair<std::string, std::uint64_t>> memory_stat;
  std::uint64_t cpu_total = 0, cpu_user = 0, cpu_system = 0;  // ns
  std::vector<std::uint64_t> cpu_percpu;
  std::uint64_t throttle_periods = 0, throttled_periods = 0, throttled_time = 0;
  std::uint64_t pids_current = 0, pids_limit = 0;  // limit 0: none
  std::vector<BlockIo> io_bytes, io_ops;
  bool unified = false;
};
Stats stats(const CgroupHandle& cgroup);
// The members of docker's StatsResponse: {"memory_stats","cpu_stats","pids_stats","blkio_stats"}.
Json to_json(const Stats& stats);

}  // namespace proa::runtime
