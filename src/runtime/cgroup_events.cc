#include "runtime/cgroup_events.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "os/file.h"

namespace proa::runtime {
namespace {

// Members that are 0 are left out, as runc does; `always` are written in any case.
void put(JsonObject& out, std::string_view key, std::uint64_t value) {
  if (value != 0) out[key] = value;
}

std::uint64_t number(const std::string& dir, std::string_view file) {
  return os::read_cgroup_number(os::path_join(dir, file)).value_or(0);
}

// "0-2,5" -> [0,1,2,5]
JsonArray number_list(std::string_view text) {
  JsonArray out;
  for (const auto& part : split(trim(text), ',')) {
    auto [first, last] = cut(part, '-');
    auto from = parse_int<std::uint32_t>(first);
    auto to = last ? parse_int<std::uint32_t>(*last) : from;
    if (!from || !to || *to - *from > 65536) continue;
    for (auto i = *from; i <= *to; ++i) out.push_back(i);
  }
  return out;
}

JsonObject cpu_json(const CgroupHandle& cgroup, const Stats& stats) {
  JsonObject usage{{"total", stats.cpu_total}};
  if (!stats.cpu_percpu.empty()) usage["percpu"] = JsonArray(stats.cpu_percpu.begin(), stats.cpu_percpu.end());
  if (auto dir = cgroup.layout.unified ? std::nullopt : cgroup.layout.directory("cpuacct", cgroup.path)) {
    // "cpu user system" and a line for each processor
    JsonArray user, system;
    for (const auto& line : split(os::try_read_file(os::path_join(*dir, "cpuacct.usage_all")).value_or(""), '\n')) {
      auto words = split(line, ' ');
      if (words.size() != 3 || !parse_int<std::uint64_t>(words[0])) continue;
      user.push_back(parse_int<std::uint64_t>(words[1]).value_or(0));
      system.push_back(parse_int<std::uint64_t>(words[2]).value_or(0));
    }
    if (!user.empty()) {
      usage["percpu_kernel"] = std::move(system);
      usage["percpu_user"] = std::move(user);
    }
  }
  usage["kernel"] = stats.cpu_system;
  usage["user"] = stats.cpu_user;
  JsonObject throttling;
  put(throttling, "periods", stats.throttle_periods);
  put(throttling, "throttledPeriods", stats.throttled_periods);
  put(throttling, "throttledTime", stats.throttled_time);
  return {{"usage", std::move(usage)}, {"throttling", std::move(throttling)}};
}

JsonObject cpuset_json(const CgroupHandle& cgroup) {
  JsonObject out;
  auto dir = cgroup.layout.directory("cpuset", cgroup.path);
  if (!dir) return out;
  auto list = [&](std::string_view file) {
    return number_list(os::try_read_file(os::path_join(*dir, file)).value_or(""));
  };
  if (cgroup.layout.unified) {
    if (auto cpus = list("cpuset.cpus.effective"); !cpus.empty()) out["cpus"] = std::move(cpus);
    if (auto mems = list("cpuset.mems.effective"); !mems.empty()) out["mems"] = std::move(mems);
    return out;
  }
  out["cpus"] = list("cpuset.cpus");
  out["cpu_exclusive"] = number(*dir, "cpuset.cpu_exclusive");
  out["mems"] = list("cpuset.mems");
  for (const char* name : {"mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
                           "memory_spread_slab", "memory_pressure", "sched_load_balance"}) {
    out[name] = number(*dir, cat("cpuset.", name));
  }
  auto level = os::try_read_file(os::path_join(*dir, "cpuset.sched_relax_domain_level")).value_or("0");
  out["sched_relax_domain_level"] = parse_int<std::int64_t>(trim(level)).value_or(0);
  return out;
}

JsonObject usage_json(std::uint64_t limit, std::uint64_t usage, std::uint64_t max, std::uint64_t failcnt) {
  JsonObject out{{"limit", limit}};
  put(out, "usage", usage);
  put(out, "max", max);
  out["failcnt"] = failcnt;
  return out;
}

JsonObject memory_json(const CgroupHandle& cgroup, const Stats& stats) {
  JsonObject raw, out;
  for (const auto& [key, value] : stats.memory_stat) raw[key] = value;
  const char* cache = cgroup.layout.unified ? "file" : "cache";
  if (const Json* value = raw.if_contains(cache); value && value->to_number<std::uint64_t>() != 0)
    out["cache"] = *value;
  out["usage"] = usage_json(stats.memory_limit, stats.memory_usage, stats.memory_max_usage, stats.memory_failcnt);
  auto dir = cgroup.layout.directory("memory", cgroup.path);
  if (cgroup.layout.unified) {
    // As on v1: memory and swap together; v2 does not count the kernel's memory apart.
    auto swap_limit = os::read_cgroup_number(os::path_join(*dir, "memory.swap.max"));
    bool limited = swap_limit && stats.memory_limit != UINT64_MAX;
    out["swap"] = usage_json(limited ? *swap_limit + stats.memory_limit : UINT64_MAX,
                             number(*dir, "memory.swap.current") + stats.memory_usage, 0, 0);
    out["kernel"] = out["kernelTCP"] = usage_json(0, 0, 0, 0);
  } else if (dir) {
    for (auto [name, prefix] :
         {std::pair{"swap", "memory.memsw."}, {"kernel", "memory.kmem."}, {"kernelTCP", "memory.kmem.tcp."}}) {
      out[name] = usage_json(number(*dir, cat(prefix, "limit_in_bytes")), number(*dir, cat(prefix, "usage_in_bytes")),
                             number(*dir, cat(prefix, "max_usage_in_bytes")), number(*dir, cat(prefix, "failcnt")));
    }
  }
  out["raw"] = std::move(raw);
  return out;
}

JsonObject io_json(const Stats& stats) {
  JsonObject out;
  auto add = [&](const char* name, const std::vector<BlockIo>& entries) {
    JsonArray list;
    for (const auto& entry : entries) {
      std::string op = to_upper(entry.op.substr(0, 1)) + entry.op.substr(1);  // as v1's files have it
      list.push_back(JsonObject{{"major", entry.major}, {"minor", entry.minor}, {"op", op}, {"value", entry.value}});
    }
    if (!list.empty()) out[name] = std::move(list);
  };
  add("ioServiceBytesRecursive", stats.io_bytes);
  add("ioServicedRecursive", stats.io_ops);
  return out;
}

JsonObject hugetlb_json(const CgroupHandle& cgroup) {
  JsonObject out;
  auto dir = cgroup.layout.directory("hugetlb", cgroup.path);
  if (!dir || !os::exists(*dir)) return out;
  std::string_view usage = cgroup.layout.unified ? ".current" : ".usage_in_bytes";
  for (const auto& file : os::list_dir(*dir)) {
    if (!file.starts_with("hugetlb.") || !file.ends_with(usage) || file.find(".rsvd.") != std::string::npos) continue;
    std::string size = file.substr(8, file.size() - 8 - usage.size());
    std::string prefix = cat("hugetlb.", size);
    JsonObject one;
    put(one, "usage", number(*dir, file));
    put(one, "max", number(*dir, cat(prefix, ".max_usage_in_bytes")));
    auto events = os::try_read_file(os::path_join(*dir, cat(prefix, ".events"))).value_or("");
    one["failcnt"] = cgroup.layout.unified ? os::cgroup_table_value(events, "max").value_or(0)
                                           : number(*dir, cat(prefix, ".failcnt"));
    out[size] = std::move(one);
  }
  return out;
}

}  // namespace

Json event_stats(const CgroupHandle& cgroup) {
  Stats now = stats(cgroup);
  JsonObject pids;
  put(pids, "current", now.pids_current);
  put(pids, "limit", now.pids_limit);
  return JsonObject{{"cpu", cpu_json(cgroup, now)},
                    {"cpuset", cpuset_json(cgroup)},
                    {"memory", memory_json(cgroup, now)},
                    {"pids", std::move(pids)},
                    {"blkio", io_json(now)},
                    {"hugetlb", hugetlb_json(cgroup)},
                    {"intel_rdt", cgroup.resctrl ? resctrl_stats(*cgroup.resctrl) : JsonObject()},
                    {"network_interfaces", nullptr}};
}

OomWatch::OomWatch(const CgroupHandle& cgroup) : cgroup_(cgroup), kills_(oom_kills(cgroup)) {
  auto dir = cgroup.layout.directory("memory", cgroup.path);
  if (!dir) return;
  if (cgroup.layout.unified) {
    events_ = os::Fd(os::check(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK), "inotify_init"));
    for (const char* file : {"memory.events", "cgroup.events"}) {
      os::check(::inotify_add_watch(events_.get(), os::path_join(*dir, file).c_str(), IN_MODIFY), file);
    }
    return;
  }
  events_ = os::Fd(os::check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"));
  control_ = os::open_file(os::path_join(*dir, "memory.oom_control"), O_RDONLY);
  os::write_cgroup_file(os::path_join(*dir, "cgroup.event_control"), cat(events_.get(), " ", control_.get()));
}

OomWatch::Seen OomWatch::wait(std::int64_t nanoseconds) {
  auto deadline = monotonic_now() + nanoseconds;
  for (;;) {
    auto left = std::max<std::int64_t>(deadline - monotonic_now(), 0);
    pollfd set{events_ ? events_.get() : -1, POLLIN, 0};
    bool told = ::poll(&set, 1, static_cast<int>((left + kMillisecond - 1) / kMillisecond)) > 0;
    if (told) {
      char drain[4096];
      while (::read(events_.get(), drain, sizeof drain) > static_cast<ssize_t>(sizeof(std::uint64_t))) {
      }
    }
    // The group's own end wakes us too.
    auto dir = cgroup_.layout.directory("memory", cgroup_.path);
    if (dir && !os::exists(*dir)) return Seen::Gone;
    if (cgroup_.layout.unified && pids(cgroup_).empty()) return Seen::Gone;
    if (auto kills = oom_kills(cgroup_); kills != kills_) {
      kills_ = kills;
      return Seen::Oom;
    }
    if (told && !cgroup_.layout.unified) return Seen::Oom;
    if (left == 0) return Seen::Nothing;
  }
}

}  // namespace proa::runtime
