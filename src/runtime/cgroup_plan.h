// linux.resources as writes to control files, decided without touching the system: v1 and v2 differ only here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci/runtime_spec.h"

namespace proa::runtime {

struct CgroupWrite {
  std::string controller;  // "memory"
  std::string file;        // "memory.limit_in_bytes"
  std::string value;
  bool optional = false;  // its absence on this kernel is a warning, not an error
  bool instead = false;   // only where the write before it found no file
  bool named = false;     // `unified` asks for this very file: its absence is an error
  friend bool operator==(const CgroupWrite&, const CgroupWrite&) = default;
};

enum class CgroupVersion { One, Two };
// In the order in which they must be written. `update`: of a running container (limits may have to grow first); device
// rules are left out then.
struct PlanOptions {
  bool update = false;
  bool memory_first = false;  // v1 update: the new memory limit is below the memory+swap limit there is now
};
std::vector<CgroupWrite> plan_cgroup(const oci::Resources& resources, CgroupVersion version, PlanOptions options = {});

// The rules in force: deny everything, the specification's in order, then what every container may do (mknod of any
// kind, null zero full random urandom tty ptmx pts).
std::vector<oci::DeviceRule> effective_device_rules(const std::vector<oci::DeviceRule>& rules);
std::string render_device_rule(const oci::DeviceRule& rule);  // "c 1:3 rwm"

// v1's cpu.shares (2 to 262144, 1024 the default) as v2's cpu.weight (1 to 10000, 100 the default): a curve through the
// ends and the defaults. v1's blkio.weight (10 to 1000) as io.weight: a line.
std::uint64_t cpu_weight_of_shares(std::uint64_t shares);
std::uint64_t io_weight_of_block_io(std::uint64_t weight);

}  // namespace proa::runtime
