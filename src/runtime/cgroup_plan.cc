#include "runtime/cgroup_plan.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace proa::runtime {
namespace {

class Plan {
 public:
  void add(std::string_view controller, std::string_view file, std::string value, bool optional = false) {
    writes_.push_back({std::string(controller), std::string(file), std::move(value), optional, false, false});
  }
  // Where the kernel has no file of the last write's name.
  void or_else(std::string_view file, std::string value) {
    writes_.push_back({writes_.back().controller, std::string(file), std::move(value), true, true, false});
  }
  void named(std::string_view controller, std::string_view file, std::string value) {
    writes_.push_back({std::string(controller), std::string(file), std::move(value), false, false, true});
  }
  template <class Number>
  void number(std::string_view controller, std::string_view file, const std::optional<Number>& value,
              bool optional = false) {
    if (value) add(controller, file, cat(*value), optional);
  }
  std::vector<CgroupWrite> take() { return std::move(writes_); }

 private:
  std::vector<CgroupWrite> writes_;
};

std::string or_max(std::int64_t value) { return value < 0 ? "max" : cat(value); }

// Callers write 0 for a limit that they do not mean to set.
std::optional<std::int64_t> meant(const std::optional<std::int64_t>& limit) {
  return limit == 0 ? std::nullopt : limit;
}

void memory_v1(Plan& plan, const oci::MemoryLimits& given, PlanOptions options) {
  oci::MemoryLimits memory = given;
  for (auto* limit : {&memory.limit, &memory.swap, &memory.reservation, &memory.kernel_tcp}) *limit = meant(*limit);
  // memsw may never be below limit: a growing pair is written from the top. On a new group both are unlimited.
  bool swap_first = options.update && !options.memory_first && memory.swap && memory.limit &&
                    (*memory.swap == -1 || *memory.swap >= *memory.limit);
  auto limit = [&] { plan.number("memory", "memory.limit_in_bytes", memory.limit); };
  auto swap = [&] { plan.number("memory", "memory.memsw.limit_in_bytes", memory.swap, true); };
  swap_first ? (swap(), limit()) : (limit(), swap());
  plan.number("memory", "memory.soft_limit_in_bytes", memory.reservation);
  plan.number("memory", "memory.kmem.tcp.limit_in_bytes", memory.kernel_tcp, true);
  if (memory.swappiness && *memory.swappiness <= 100) plan.number("memory", "memory.swappiness", memory.swappiness);
  if (memory.disable_oom_killer.value_or(false)) plan.add("memory", "memory.oom_control", "1");
}

void cpu_v1(Plan& plan, const oci::CpuLimits& cpu) {
  if (cpu.shares && *cpu.shares != 0) plan.number("cpu", "cpu.shares", cpu.shares);
  if (cpu.period && *cpu.period != 0) plan.number("cpu", "cpu.cfs_period_us", cpu.period);
  if (cpu.quota && *cpu.quota != 0) plan.number("cpu", "cpu.cfs_quota_us", cpu.quota);
  plan.number("cpu", "cpu.cfs_burst_us", cpu.burst, true);
  if (cpu.realtime_period && *cpu.realtime_period != 0) {
    plan.number("cpu", "cpu.rt_period_us", cpu.realtime_period, true);
  }
  if (cpu.realtime_runtime && *cpu.realtime_runtime != 0) {
    plan.number("cpu", "cpu.rt_runtime_us", cpu.realtime_runtime, true);
  }
  plan.number("cpu", "cpu.idle", cpu.idle, true);
}

void throttles_v1(Plan& plan, std::string_view file, const std::vector<oci::ThrottleDevice>& devices) {
  for (const auto& device : devices) plan.add("blkio", file, cat(device.major, ":", device.minor, " ", device.rate));
}

void block_io_v1(Plan& plan, const oci::BlockIoLimits& io) {
  // Weights are the BFQ scheduler's, and absent without it. Before Linux 5.0 they were CFQ's, which alone had leaf
  // weights: nothing else could give what they promise.
  if (io.weight && *io.weight != 0) {
    plan.add("blkio", "blkio.bfq.weight", cat(*io.weight), true);
    plan.or_else("blkio.weight", cat(*io.weight));
  }
  if (io.leaf_weight && *io.leaf_weight != 0) plan.add("blkio", "blkio.leaf_weight", cat(*io.leaf_weight));
  for (const auto& device : io.weight_device) {
    std::string number = cat(device.major, ":", device.minor, " ");
    if (device.weight) {
      plan.add("blkio", "blkio.bfq.weight_device", cat(number, *device.weight), true);
      plan.or_else("blkio.weight_device", cat(number, *device.weight));
    }
    if (device.leaf_weight) plan.add("blkio", "blkio.leaf_weight_device", cat(number, *device.leaf_weight));
  }
  throttles_v1(plan, "blkio.throttle.read_bps_device", io.throttle_read_bps_device);
  throttles_v1(plan, "blkio.throttle.write_bps_device", io.throttle_write_bps_device);
  throttles_v1(plan, "blkio.throttle.read_iops_device", io.throttle_read_iops_device);
  throttles_v1(plan, "blkio.throttle.write_iops_device", io.throttle_write_iops_device);
}

void rdma(Plan& plan, const oci::Resources& resources) {
  for (const auto& [device, limit] : resources.rdma) {
    std::string line = device;
    if (limit.hca_handles) line += cat(" hca_handle=", *limit.hca_handles);
    if (limit.hca_objects) line += cat(" hca_object=", *limit.hca_objects);
    plan.add("rdma", "rdma.max", std::move(line));
  }
}

void plan_v1(Plan& plan, const oci::Resources& resources, PlanOptions options) {
  if (!resources.unified.empty()) {
    throw Error(ErrorKind::InvalidArgument, "invalid configuration: cannot use unified on cgroup v1");
  }
  rdma(plan, resources);
  if (resources.memory) memory_v1(plan, *resources.memory, options);
  if (resources.cpu) {
    cpu_v1(plan, *resources.cpu);
    if (!resources.cpu->cpus.empty()) plan.add("cpuset", "cpuset.cpus", resources.cpu->cpus);
    if (!resources.cpu->mems.empty()) plan.add("cpuset", "cpuset.mems", resources.cpu->mems);
  }
  if (resources.pids && resources.pids->limit && *resources.pids->limit != 0) {
    plan.add("pids", "pids.max", or_max(*resources.pids->limit));
  }
  if (resources.block_io) block_io_v1(plan, *resources.block_io);
  for (const auto& page : resources.hugepage_limits) {
    plan.add("hugetlb", cat("hugetlb.", page.page_size, ".limit_in_bytes"), cat(page.limit));
  }
  if (resources.network) {
    if (resources.network->class_id && *resources.network->class_id != 0) {
      plan.number("net_cls", "net_cls.classid", resources.network->class_id);
    }
    for (const auto& priority : resources.network->priorities) {
      plan.add("net_prio", "net_prio.ifpriomap", cat(priority.name, " ", priority.priority));
    }
  }
  if (options.update) return;
  for (const auto& rule : effective_device_rules(resources.devices)) {
    bool everything = rule.type.empty() || rule.type == "a";
    plan.add("devices", rule.allow ? "devices.allow" : "devices.deny", everything ? "a" : render_device_rule(rule));
  }
}

// OCI's swap counts memory and swap together, v2's swap.max swap alone.
std::optional<std::string> swap_v2(const oci::MemoryLimits& memory) {
  auto limit = memory.limit.value_or(0), swap = memory.swap.value_or(0);
  if (swap < 0) return "max";
  if (swap == 0) return limit < 0 ? std::optional<std::string>("max") : std::nullopt;
  if (limit <= 0) throw Error(ErrorKind::InvalidArgument, "unable to set swap limit without memory limit");
  if (swap < limit) throw Error(ErrorKind::InvalidArgument, "memory+swap limit should be >= memory limit");
  return cat(swap - limit);
}

void memory_v2(Plan& plan, const oci::MemoryLimits& memory) {
  if (auto swap = swap_v2(memory)) plan.add("memory", "memory.swap.max", *swap, true);
  if (memory.limit && *memory.limit != 0) plan.add("memory", "memory.max", or_max(*memory.limit));
  if (memory.reservation && *memory.reservation != 0) plan.add("memory", "memory.low", or_max(*memory.reservation));
}

void cpu_v2(Plan& plan, const oci::CpuLimits& cpu, bool update) {
  if (cpu.idle) plan.number("cpu", "cpu.idle", cpu.idle, true);
  // An idle group has no weight to set.
  if (cpu.shares && *cpu.shares != 0 && cpu.idle.value_or(0) == 0) {
    plan.add("cpu", "cpu.weight", cat(cpu_weight_of_shares(*cpu.shares)));
  }
  bool quota = cpu.quota && *cpu.quota != 0;
  bool period = cpu.period && *cpu.period != 0;
  // The burst may never be above the quota, so it makes room for a new one.
  if (cpu.burst && update) plan.add("cpu", "cpu.max.burst", "0", true);
  if (quota || period) {
    std::string value = quota && *cpu.quota > 0 ? cat(*cpu.quota) : "max";
    plan.add("cpu", "cpu.max", cat(value, " ", period ? *cpu.period : 100'000));
  }
  plan.number("cpu", "cpu.max.burst", cpu.burst, true);
  if (!cpu.cpus.empty()) plan.add("cpuset", "cpuset.cpus", cpu.cpus);
  if (!cpu.mems.empty()) plan.add("cpuset", "cpuset.mems", cpu.mems);
}

void throttles_v2(Plan& plan, std::string_view key, const std::vector<oci::ThrottleDevice>& devices) {
  for (const auto& device : devices) {
    plan.add("io", "io.max", cat(device.major, ":", device.minor, " ", key, "=", device.rate));
  }
}

void block_io_v2(Plan& plan, const oci::BlockIoLimits& io) {
  // BFQ's weights are v1's; without BFQ there is the weight of iocost. Leaf weights have no counterpart.
  if (io.weight && *io.weight != 0) {
    plan.add("io", "io.bfq.weight", cat(*io.weight), true);
    plan.or_else("io.weight", cat(io_weight_of_block_io(*io.weight)));
  }
  for (const auto& device : io.weight_device) {
    if (!device.weight) continue;
    std::string number = cat(device.major, ":", device.minor, " ");
    plan.add("io", "io.bfq.weight", cat(number, *device.weight), true);
    plan.or_else("io.weight", cat(number, io_weight_of_block_io(*device.weight)));
  }
  throttles_v2(plan, "rbps", io.throttle_read_bps_device);
  throttles_v2(plan, "wbps", io.throttle_write_bps_device);
  throttles_v2(plan, "riops", io.throttle_read_iops_device);
  throttles_v2(plan, "wiops", io.throttle_write_iops_device);
}

void plan_v2(Plan& plan, const oci::Resources& resources, bool update) {
  if (resources.memory) memory_v2(plan, *resources.memory);
  if (resources.cpu) cpu_v2(plan, *resources.cpu, update);
  if (resources.pids && resources.pids->limit && *resources.pids->limit != 0) {
    plan.add("pids", "pids.max", or_max(*resources.pids->limit));
  }
  if (resources.block_io) block_io_v2(plan, *resources.block_io);
  for (const auto& page : resources.hugepage_limits) {
    plan.add("hugetlb", cat("hugetlb.", page.page_size, ".max"), cat(page.limit));
    plan.add("hugetlb", cat("hugetlb.", page.page_size, ".rsvd.max"), cat(page.limit), true);
  }
  rdma(plan, resources);
  for (const auto& [file, value] : resources.unified) {
    if (file.find('/') != std::string::npos) {
      throw Error(ErrorKind::InvalidArgument, cat("unified resource ", quoted(file), " must be a file name"));
    }
    auto [controller, parameter] = cut(file, '.');
    if (controller.empty() || !parameter) {
      throw Error(ErrorKind::InvalidArgument,
                  cat("unified resource ", quoted(file), " must be in the form CONTROLLER.PARAMETER"));
    }
    plan.named(controller, file, value);
  }
}

oci::DeviceRule allow(std::string type, std::int64_t major, std::int64_t minor, std::string access) {
  oci::DeviceRule rule;
  rule.allow = true;
  rule.type = std::move(type);
  rule.major = major;
  rule.minor = minor;
  rule.access = std::move(access);
  return rule;
}

}  // namespace

std::vector<oci::DeviceRule> effective_device_rules(const std::vector<oci::DeviceRule>& rules) {
  std::vector<oci::DeviceRule> out;
  oci::DeviceRule everything;
  everything.type = "a";
  everything.access = "rwm";
  out.push_back(everything);
  out.insert(out.end(), rules.begin(), rules.end());
  // A later "allow everything" makes what is before it, and what follows without a deny, pointless.
  auto last_everything = std::find_if(out.rbegin(), out.rend(), [](const oci::DeviceRule& rule) {
    bool any_number = rule.major.value_or(-1) == -1 && rule.minor.value_or(-1) == -1;
    return (rule.type.empty() || rule.type == "a") && any_number;
  });
  out.erase(out.begin(), last_everything.base() - 1);
  if (out.front().allow) return out;
  out.push_back(allow("c", -1, -1, "m"));
  out.push_back(allow("b", -1, -1, "m"));
  for (int minor : {3, 5, 7, 8, 9}) out.push_back(allow("c", 1, minor, "rwm"));
  out.push_back(allow("c", 5, 0, "rwm"));
  out.push_back(allow("c", 5, 2, "rwm"));
  out.push_back(allow("c", 136, -1, "rwm"));
  return out;
}

std::string render_device_rule(const oci::DeviceRule& rule) {
  auto number = [](const std::optional<std::int64_t>& value) { return value.value_or(-1) < 0 ? "*" : cat(*value); };
  return cat(rule.type.empty() ? "a" : rule.type, " ", number(rule.major), ":", number(rule.minor), " ", rule.access);
}

std::uint64_t cpu_weight_of_shares(std::uint64_t shares) {
  if (shares == 0) return 0;
  if (shares <= 2) return 1;
  if (shares >= 262'144) return 10'000;
  // The exponent is the parabola over log2(shares) through (1, 0), (10, 2) and (18, 4).
  double power = std::log2(static_cast<double>(shares));
  double exponent = (power * power + 125 * power) / 612.0 - 7.0 / 34.0;
  return static_cast<std::uint64_t>(std::ceil(std::pow(10, exponent) - 1e-9));
}

std::uint64_t io_weight_of_block_io(std::uint64_t weight) {
  return 1 + (std::clamp<std::uint64_t>(weight, 10, 1000) - 10) * 9999 / 990;
}

std::vector<CgroupWrite> plan_cgroup(const oci::Resources& resources, CgroupVersion version, PlanOptions options) {
  Plan plan;
  if (version == CgroupVersion::One) {
    plan_v1(plan, resources, options);
  } else {
    plan_v2(plan, resources, options.update);
  }
  return plan.take();
}

}  // namespace proa::runtime
