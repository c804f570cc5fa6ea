// What a group has used, read from its files.
#include "base/text.h"
#include "os/file.h"
#include "runtime/cgroup.h"

namespace proa::runtime {
namespace {

constexpr std::uint64_t kNanosPerTick = 10'000'000;  // USER_HZ is 100 everywhere

std::string text_of(const std::string& dir, std::string_view file) {
  return os::try_read_file(os::path_join(dir, file), 1 << 20).value_or("");
}

std::uint64_t number_of(const std::string& dir, std::string_view file) {
  return os::read_cgroup_number(os::path_join(dir, file)).value_or(0);
}

std::vector<std::pair<std::string, std::uint64_t>> table(std::string_view text) {
  std::vector<std::pair<std::string, std::uint64_t>> out;
  for (const auto& line : split(text, '\n')) {
    auto [key, value] = cut(line, ' ');
    if (!value) continue;
    if (auto number = parse_int<std::uint64_t>(*value)) out.emplace_back(key, *number);
  }
  return out;
}

std::uint64_t value_at(std::string_view text, std::string_view key) {
  return os::cgroup_table_value(text, key).value_or(0);
}

// "8:0 Read 4096" lines of v1.
std::vector<BlockIo> block_io_v1(std::string_view text) {
  std::vector<BlockIo> out;
  for (const auto& line : split(text, '\n')) {
    auto words = split(line, ' ');
    if (words.size() != 3) continue;
    auto [major, minor] = cut(words[0], ':');
    auto value = parse_int<std::uint64_t>(words[2]);
    auto major_number = parse_int<std::uint64_t>(major);
    auto minor_number = minor ? parse_int<std::uint64_t>(*minor) : std::nullopt;
    if (value && major_number && minor_number)
      out.push_back({*major_number, *minor_number, to_lower(words[1]), *value});
  }
  return out;
}

void fill_v1(const CgroupHandle& cgroup, Stats& stats) {
  if (auto dir = cgroup.layout.directory("memory", cgroup.path)) {
    stats.memory_usage = number_of(*dir, "memory.usage_in_bytes");
    stats.memory_max_usage = number_of(*dir, "memory.max_usage_in_bytes");
    stats.memory_limit = number_of(*dir, "memory.limit_in_bytes");
    stats.memory_failcnt = number_of(*dir, "memory.failcnt");
    stats.memory_stat = table(text_of(*dir, "memory.stat"));
  }
  if (auto dir = cgroup.layout.directory("cpuacct", cgroup.path)) {
    stats.cpu_total = number_of(*dir, "cpuacct.usage");
    std::string split_usage = text_of(*dir, "cpuacct.stat");
    stats.cpu_user = value_at(split_usage, "user") * kNanosPerTick;
    stats.cpu_system = value_at(split_usage, "system") * kNanosPerTick;
    for (const auto& word : split(trim(text_of(*dir, "cpuacct.usage_percpu")), ' ')) {
      if (auto number = parse_int<std::uint64_t>(word)) stats.cpu_percpu.push_back(*number);
    }
  }
  if (auto dir = cgroup.layout.directory("cpu", cgroup.path)) {
    std::string throttling = text_of(*dir, "cpu.stat");
    stats.throttle_periods = value_at(throttling, "nr_periods");
    stats.throttled_periods = value_at(throttling, "nr_throttled");
    stats.throttled_time = value_at(throttling, "throttled_time");
  }
  if (auto dir = cgroup.layout.directory("blkio", cgroup.path)) {
    stats.io_bytes = block_io_v1(text_of(*dir, "blkio.throttle.io_service_bytes"));
    stats.io_ops = block_io_v1(text_of(*dir, "blkio.throttle.io_serviced"));
  }
}

void fill_v2(const CgroupHandle& cgroup, Stats& stats) {
  std::string dir = os::path_join(cgroup.layout.root, cgroup.path);
  stats.unified = true;
  stats.memory_usage = number_of(dir, "memory.current");
  stats.memory_max_usage = number_of(dir, "memory.peak");
  stats.memory_limit = os::read_cgroup_number(os::path_join(dir, "memory.max")).value_or(UINT64_MAX);
  stats.memory_failcnt = value_at(text_of(dir, "memory.events"), "max");
  stats.memory_stat = table(text_of(dir, "memory.stat"));
  std::string cpu = text_of(dir, "cpu.stat");
  stats.cpu_total = value_at(cpu, "usage_usec") * 1000;
  stats.cpu_user = value_at(cpu, "user_usec") * 1000;
  stats.cpu_system = value_at(cpu, "system_usec") * 1000;
  stats.throttle_periods = value_at(cpu, "nr_periods");
  stats.throttled_periods = value_at(cpu, "nr_throttled");
  stats.throttled_time = value_at(cpu, "throttled_usec") * 1000;
  for (const auto& line : split(text_of(dir, "io.stat"), '\n')) {
    auto words = split(line, ' ');
    auto [major, minor] = cut(words[0], ':');
    auto major_number = parse_int<std::uint64_t>(major);
    auto minor_number = minor ? parse_int<std::uint64_t>(*minor) : std::nullopt;
    if (!major_number || !minor_number) continue;
    for (std::size_t i = 1; i < words.size(); ++i) {
      auto [key, value] = cut(words[i], '=');
      auto number = value ? parse_int<std::uint64_t>(*value) : std::nullopt;
      if (!number) continue;
      if (key == "rbytes") stats.io_bytes.push_back({*major_number, *minor_number, "read", *number});
      if (key == "wbytes") stats.io_bytes.push_back({*major_number, *minor_number, "write", *number});
      if (key == "rios") stats.io_ops.push_back({*major_number, *minor_number, "read", *number});
      if (key == "wios") stats.io_ops.push_back({*major_number, *minor_number, "write", *number});
    }
  }
}

JsonArray io_json(const std::vector<BlockIo>& entries) {
  JsonArray out;
  for (const auto& entry : entries) {
    out.push_back(JsonObject{{"major", entry.major}, {"minor", entry.minor}, {"op", entry.op}, {"value", entry.value}});
  }
  return out;
}

}  // namespace

Stats stats(const CgroupHandle& cgroup) {
  Stats out;
  if (cgroup.path.empty()) return out;
  if (cgroup.layout.unified) {
    fill_v2(cgroup, out);
  } else {
    fill_v1(cgroup, out);
  }
  if (auto dir = cgroup.layout.directory("pids", cgroup.path)) {
    out.pids_current = number_of(*dir, "pids.current");
    out.pids_limit = number_of(*dir, "pids.max");
  }
  return out;
}

Json to_json(const Stats& stats) {
  JsonObject memory_table;
  for (const auto& [key, value] : stats.memory_stat) memory_table[key] = value;
  JsonObject memory{{"usage", stats.memory_usage}, {"stats", std::move(memory_table)}, {"limit", stats.memory_limit}};
  if (!stats.unified) {
    memory["max_usage"] = stats.memory_max_usage;
    if (stats.memory_failcnt != 0) memory["failcnt"] = stats.memory_failcnt;
  }
  JsonObject usage{{"total_usage", stats.cpu_total},
                   {"usage_in_kernelmode", stats.cpu_system},
                   {"usage_in_usermode", stats.cpu_user}};
  if (!stats.cpu_percpu.empty()) usage["percpu_usage"] = JsonArray(stats.cpu_percpu.begin(), stats.cpu_percpu.end());
  JsonObject throttling{{"periods", stats.throttle_periods},
                        {"throttled_periods", stats.throttled_periods},
                        {"throttled_time", stats.throttled_time}};
  JsonObject pids{{"current", stats.pids_current}};
  if (stats.pids_limit != 0) pids["limit"] = stats.pids_limit;
  return JsonObject{
      {"memory_stats", std::move(memory)},
      {"cpu_stats", JsonObject{{"cpu_usage", std::move(usage)}, {"throttling_data", std::move(throttling)}}},
      {"pids_stats", std::move(pids)},
      {"blkio_stats", JsonObject{{"io_service_bytes_recursive", io_json(stats.io_bytes)},
                                 {"io_serviced_recursive", io_json(stats.io_ops)}}}};
}

}  // namespace proa::runtime
