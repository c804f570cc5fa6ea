// `events`: a group's statistics in runc's words, and its out-of-memory kills as they happen.
#pragma once

#include <cstdint>

#include "base/json.h"
#include "os/fd.h"
#include "runtime/cgroup.h"

namespace proa::runtime {

// The "data" of a stats event: cpu, cpuset, memory, pids, blkio, hugetlb, intel_rdt, network_interfaces.
Json event_stats(const CgroupHandle& cgroup);

class OomWatch {
 public:
  explicit OomWatch(const CgroupHandle& cgroup);

  enum class Seen { Nothing, Oom, Gone };  // Gone: the group has been removed, or nobody is in it any more
  Seen wait(std::int64_t nanoseconds);

 private:
  const CgroupHandle& cgroup_;
  os::Fd control_;  // v1: memory.oom_control must stay open
  os::Fd events_;   // v1: an eventfd; v2: an inotify
  std::uint64_t kills_ = 0;
};

}  // namespace proa::runtime
