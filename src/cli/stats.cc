// stats: one sample per container, again every second on a terminal.
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "cli/console.h"
#include "cli/listing_text.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {

constexpr Column kColumns[] = {{"Container", "CONTAINER"},
                               {"Name", "NAME"},
                               {"ID", "CONTAINER ID"},
                               {"CPUPerc", "CPU %"},
                               {"MemUsage", "MEM USAGE / LIMIT"},
                               {"MemPerc", "MEM %"},
                               {"NetIO", "NET I/O"},
                               {"BlockIO", "BLOCK I/O"},
                               {"PIDs", "PIDS"}};

const Json& at(const Json& value, std::string_view key) {
  static const Json kNull;
  const Json* found = json::find(value, key);
  return found ? *found : kNull;
}
double number(const Json& value, std::string_view key) {
  const Json& item = at(value, key);
  return item.is_uint64()   ? static_cast<double>(item.get_uint64())
         : item.is_double() ? item.get_double()
                            : static_cast<double>(json::int_at(value, key));
}

std::string percent(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.2f%%", value);
  return text;
}

// Docker's: the share of all host CPU time between the two samples, times the number of CPUs.
double cpu_percent(const Json& sample) {
  const Json &cpu = at(sample, "cpu_stats"), &before = at(sample, "precpu_stats");
  double used = number(at(cpu, "cpu_usage"), "total_usage") - number(at(before, "cpu_usage"), "total_usage");
  double system = number(cpu, "system_cpu_usage") - number(before, "system_cpu_usage");
  double cpus = number(cpu, "online_cpus");
  if (cpus == 0) cpus = static_cast<double>(array_of(json::find(at(cpu, "cpu_usage"), "percpu_usage")).size());
  return system > 0 && used > 0 ? used / system * cpus * 100 : 0;
}

// Without the page cache that could be dropped.
double memory_used(const Json& memory) {
  double usage = number(memory, "usage");
  for (const char* key : {"total_inactive_file", "inactive_file"}) {
    double cache = number(at(memory, "stats"), key);
    if (cache > 0 && cache < usage) return usage - cache;
  }
  return usage;
}

JsonObject row_of(const std::string& container, const Json& sample, bool truncate) {
  const Json& memory = at(sample, "memory_stats");
  double used = memory_used(memory), limit = number(memory, "limit"), received = 0, sent = 0, read = 0, written = 0;
  for (const auto& [name, network] : object_of(json::find(sample, "networks")))
    received += number(network, "rx_bytes"), sent += number(network, "tx_bytes");
  for (const Json& entry : array_of(json::find(at(sample, "blkio_stats"), "io_service_bytes_recursive"))) {
    std::string operation = to_lower(json::string_at(entry, "op"));
    if (operation == "read") read += number(entry, "value");
    if (operation == "write") written += number(entry, "value");
  }
  std::string name = json::string_at(sample, "name"), id = json::string_at(sample, "id");
  if (name.starts_with('/')) name.erase(0, 1);
  return {{"Container", container},
          {"Name", name},
          {"ID", truncate ? truncated_id(id) : id},
          {"CPUPerc", percent(cpu_percent(sample))},
          {"MemUsage", cat(binary_size(used), " / ", binary_size(limit))},
          {"MemPerc", percent(limit > 0 ? used / limit * 100 : 0)},
          {"NetIO", cat(size_text(received), " / ", size_text(sent))},
          {"BlockIO", cat(size_text(read), " / ", size_text(written))},
          {"PIDs", cat(static_cast<std::int64_t>(number(at(sample, "pids_stats"), "current")))}};
}

}  // namespace

int run_stats(Call& call) {
  const Flags& flags = call.flags;
  Listing listing(
      kColumns, flags.text("format"),
      "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
      "*container.statsContext");
  bool stream = !flags.on("no-stream"), clear = stream && flags.text("format").empty() && is_terminal(STDOUT_FILENO);
  while (true) {
    std::vector<std::string> names = call.arguments();
    if (names.empty()) {
      Json list = call.session.get("/containers/json", flags.on("all") ? Query{{"all", "1"}} : Query{});
      for (const Json& one : array_of(&list)) names.push_back(json::string_at(one, "Id"));
    }
    std::vector<JsonObject> rows;
    for (const std::string& name : names) {
      rows.push_back(
          row_of(name, call.session.get(container_path(name, "stats"), {{"stream", "0"}}), !flags.on("no-trunc")));
    }
    out(cat(clear ? "\x1b[2J\x1b[H" : "", listing.render(rows)));
    if (!stream) return 0;
    timespec pause{1, 0};
    ::nanosleep(&pause, nullptr);
  }
}

}  // namespace proa::cli
