#include "engine/stats.h"

#include <condition_variable>
#include <mutex>

#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "engine/spec_builder.h"
#include "os/cgroup_dir.h"
#include "os/file.h"
#include "os/host_info.h"

namespace proa::engine {
namespace {

std::string text_of(const std::optional<std::string>& dir, std::string_view file) {
  if (!dir) return "";
  return os::try_read_file(os::path_join(*dir, file)).value_or("");
}
std::uint64_t number_of(const std::optional<std::string>& dir, std::string_view file) {
  return dir ? os::read_cgroup_number(os::path_join(*dir, file)).value_or(0) : 0;
}

JsonObject table(std::string_view text) {
  JsonObject out;
  for (const auto& line : split(text, '\n')) {
    auto [key, value] = cut(line, ' ');
    if (auto number = value ? parse_int<std::uint64_t>(trim(*value)) : std::nullopt) out[key] = *number;
  }
  return out;
}

// The host's busy time in ns: the first line of /proc/stat, in ticks of 10 ms.
std::uint64_t system_cpu() {
  auto text = os::try_read_file("/proc/stat").value_or("");
  std::uint64_t total = 0;
  int field = 0;
  for (const auto& word : split(std::string_view(text).substr(0, text.find('\n')), ' ')) {
    auto number = parse_int<std::uint64_t>(word);
    if (number && field++ < 8) total += *number;
  }
  return total * 10'000'000;
}

struct Reading {
  JsonObject cpu, memory, pids, blkio;
};

JsonArray io_list(std::string_view text) {
  JsonArray out;
  for (const auto& line : split(text, '\n')) {
    auto words = split(line, ' ');
    if (words.size() != 3) continue;
    auto [major, minor] = cut(words[0], ':');
    auto value = parse_int<std::uint64_t>(words[2]);
    if (!minor || !value) continue;
    out.push_back(JsonObject{{"major", parse_int<std::uint64_t>(major).value_or(0)},
                             {"minor", parse_int<std::uint64_t>(*minor).value_or(0)},
                             {"op", to_lower(words[1])},
                             {"value", *value}});
  }
  return out;
}

Reading read_v1(const os::CgroupLayout& layout, const std::string& path) {
  Reading out;
  auto cpuacct = layout.directory("cpuacct", path), cpu = layout.directory("cpu", path),
       memory = layout.directory("memory", path), pids = layout.directory("pids", path),
       blkio = layout.directory("blkio", path);
  JsonArray per_cpu;
  for (const auto& word : split(trim(text_of(cpuacct, "cpuacct.usage_percpu")), ' ')) {
    if (auto number = parse_int<std::uint64_t>(word)) per_cpu.push_back(*number);
  }
  out.cpu = {{"total_usage", number_of(cpuacct, "cpuacct.usage")},
             {"percpu_usage", per_cpu},
             {"usage_in_kernelmode", number_of(cpuacct, "cpuacct.usage_sys")},
             {"usage_in_usermode", number_of(cpuacct, "cpuacct.usage_user")}};
  out.memory = {{"usage", number_of(memory, "memory.usage_in_bytes")},
                {"max_usage", number_of(memory, "memory.max_usage_in_bytes")},
                {"stats", table(text_of(memory, "memory.stat"))},
                {"failcnt", number_of(memory, "memory.failcnt")},
                {"limit", number_of(memory, "memory.limit_in_bytes")}};
  out.pids = {{"current", number_of(pids, "pids.current")}};
  if (auto limit = number_of(pids, "pids.max")) out.pids["limit"] = limit;
  out.blkio = {{"io_service_bytes_recursive", io_list(text_of(blkio, "blkio.throttle.io_service_bytes"))},
               {"io_serviced_recursive", io_list(text_of(blkio, "blkio.throttle.io_serviced"))}};
  return out;
}

Reading read_v2(const os::CgroupLayout& layout, const std::string& path) {
  Reading out;
  auto dir = layout.directory("cpu", path);
  auto cpu = text_of(dir, "cpu.stat");
  auto micro = [&](std::string_view key) { return os::cgroup_table_value(cpu, key).value_or(0) * 1000; };
  out.cpu = {{"total_usage", micro("usage_usec")},
             {"usage_in_kernelmode", micro("system_usec")},
             {"usage_in_usermode", micro("user_usec")}};
  out.memory = {{"usage", number_of(dir, "memory.current")},
                {"stats", table(text_of(dir, "memory.stat"))},
                {"limit", number_of(dir, "memory.max")}};
  out.pids = {{"current", number_of(dir, "pids.current")}};
  if (auto limit = number_of(dir, "pids.max")) out.pids["limit"] = limit;
  JsonArray bytes;
  for (const auto& line : split(text_of(dir, "io.stat"), '\n')) {
    auto words = split(line, ' ');
    auto [major, minor] = cut(words[0], ':');
    if (!minor) continue;
    for (const auto& word : words) {
      auto [key, value] = cut(word, '=');
      if (!value || (key != "rbytes" && key != "wbytes")) continue;
      bytes.push_back(JsonObject{{"major", parse_int<std::uint64_t>(major).value_or(0)},
                                 {"minor", parse_int<std::uint64_t>(*minor).value_or(0)},
                                 {"op", key == "rbytes" ? "read" : "write"},
                                 {"value", parse_int<std::uint64_t>(*value).value_or(0)}});
    }
  }
  out.blkio = {{"io_service_bytes_recursive", bytes}, {"io_serviced_recursive", nullptr}};
  return out;
}

JsonObject networks_of(pid_t pid) {
  JsonObject out;
  auto text = os::try_read_file(cat("/proc/", std::to_string(pid), "/net/dev")).value_or("");
  for (const auto& line : split(text, '\n')) {
    auto [name, rest] = cut(line, ':');
    name = trim(name);
    if (!rest || name == "lo") continue;
    std::vector<std::uint64_t> numbers;
    for (const auto& word : split(*rest, ' ')) {
      if (auto number = parse_int<std::uint64_t>(word)) numbers.push_back(*number);
    }
    if (numbers.size() < 16) continue;
    out[name] = JsonObject{{"rx_bytes", numbers[0]},   {"rx_packets", numbers[1]}, {"rx_errors", numbers[2]},
                           {"rx_dropped", numbers[3]}, {"tx_bytes", numbers[8]},   {"tx_packets", numbers[9]},
                           {"tx_errors", numbers[10]}, {"tx_dropped", numbers[11]}};
  }
  return out;
}

JsonObject cpu_stats(const JsonObject& usage, std::uint64_t system, int cpus) {
  return JsonObject{{"cpu_usage", usage},
                    {"system_cpu_usage", system},
                    {"online_cpus", cpus},
                    {"throttling_data", JsonObject{{"periods", 0}, {"throttled_periods", 0}, {"throttled_time", 0}}}};
}

JsonObject no_cpu_stats() {
  return JsonObject{{"cpu_usage", JsonObject{{"total_usage", 0}, {"usage_in_kernelmode", 0}, {"usage_in_usermode", 0}}},
                    {"throttling_data", JsonObject{{"periods", 0}, {"throttled_periods", 0}, {"throttled_time", 0}}}};
}

bool pause_for(std::int64_t nanoseconds, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, std::chrono::nanoseconds(nanoseconds), [] { return false; });
  return !stop.stop_requested();
}

}  // namespace

void Stats::read(std::string_view reference, const StatsOptions& options, const Begin& begin,
                 std::stop_token stop) const {
  auto container = rooms_.roster->get(reference);
  auto layout = os::find_cgroups();
  auto memory_total = static_cast<std::uint64_t>(os::host_info().memory);
  JsonObject previous_cpu;
  std::string previous_read = "0001-01-01T00:00:00Z";
  auto sink = begin();
  bool warm = options.stream || options.one_shot;
  for (;;) {
    auto snapshot = container->snapshot();
    const auto& d = *snapshot->definition;
    JsonObject out;
    auto time = format_rfc3339(now());
    bool running = snapshot->state.running();
    out["name"] = "/" + d.name;
    out["id"] = d.id;
    out["read"] = running ? time : "0001-01-01T00:00:00Z";
    out["preread"] = previous_read;
    out["num_procs"] = 0;
    out["storage_stats"] = JsonObject{};
    out["precpu_stats"] = previous_cpu.empty() ? no_cpu_stats() : previous_cpu;
    if (running) {
      auto parent = d.host_config.cgroup_parent.empty() ? rooms_.config->cgroup_parent : d.host_config.cgroup_parent;
      auto path = cgroup_path(parent, d.id);
      auto reading = layout.unified ? read_v2(layout, path) : read_v1(layout, path);
      auto cpu = cpu_stats(reading.cpu, system_cpu(), rooms_.host.cpus);
      out["cpu_stats"] = cpu;
      auto limit = reading.memory["limit"].to_number<std::uint64_t>();
      if (limit == 0 || limit > memory_total) reading.memory["limit"] = memory_total;  // none of its own: the host's
      out["memory_stats"] = reading.memory;
      out["pids_stats"] = reading.pids;
      out["blkio_stats"] = reading.blkio;
      if (auto networks = networks_of(snapshot->state.pid); !networks.empty()) out["networks"] = networks;
      previous_cpu = std::move(cpu);
      previous_read = time;
    } else {
      out["cpu_stats"] = no_cpu_stats();
      out["memory_stats"] = JsonObject{};
      out["pids_stats"] = JsonObject{};
      out["blkio_stats"] = JsonObject{{"io_service_bytes_recursive", nullptr}};
    }
    if (warm || !running) sink(json::text(out) + "\n");
    if ((!options.stream && warm) || (!running && !options.stream)) return;
    warm = true;
    if (!pause_for(kSecond, stop) || container->epoch().removed) return;
  }
}

}  // namespace proa::engine
