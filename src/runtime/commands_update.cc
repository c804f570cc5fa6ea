// proa-runtime update.
#include <unistd.h>

#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "base/units.h"
#include "os/file.h"
#include "runtime/cli.h"
#include "runtime/command_flags.h"
#include "runtime/state_dir.h"

namespace proa::runtime {
namespace {

std::optional<std::int64_t> byte_count(const Arguments& arguments, std::string_view flag) {
  std::string text = arguments.value(flag);
  if (text.empty()) return std::nullopt;
  if (text == "-1") return -1;
  auto bytes = parse_ram_bytes(text);
  if (!bytes)
    throw Error(ErrorKind::InvalidArgument, cat("invalid value for ", flag, ": ", quoted(text), " is no size"));
  return bytes;
}

oci::Resources resources_of(const Arguments& arguments) {
  if (auto file = arguments.value("resources"); !file.empty()) {
    std::string text = file == "-" ? os::read_all(STDIN_FILENO, 1 << 20) : os::read_file(file, 1 << 20);
    return oci::resources_from_json(json::parse(text));
  }
  oci::Resources out;
  oci::MemoryLimits memory;
  memory.limit = byte_count(arguments, "memory");
  memory.reservation = byte_count(arguments, "memory-reservation");
  memory.swap = byte_count(arguments, "memory-swap");
  out.memory = memory;
  oci::CpuLimits cpu;
  auto natural = [&](std::string_view flag) -> std::optional<std::uint64_t> {
    auto number = arguments.number(flag);
    if (!number) return std::nullopt;
    if (*number < 0) throw Error(ErrorKind::InvalidArgument, cat("invalid value for ", flag));
    return static_cast<std::uint64_t>(*number);
  };
  cpu.shares = natural("cpu-share");
  cpu.period = natural("cpu-period");
  cpu.burst = natural("cpu-burst");
  cpu.quota = arguments.number("cpu-quota");
  cpu.realtime_period = natural("cpu-rt-period");
  cpu.realtime_runtime = arguments.number("cpu-rt-runtime");
  cpu.idle = arguments.number("cpu-idle");
  cpu.cpus = arguments.value("cpuset-cpus");
  cpu.mems = arguments.value("cpuset-mems");
  out.cpu = cpu;
  if (auto limit = arguments.number("pids-limit")) out.pids = oci::PidsLimits{*limit};
  if (auto weight = natural("blkio-weight")) {
    out.block_io.emplace();
    if (!std::in_range<std::uint16_t>(*weight)) {
      throw Error(ErrorKind::InvalidArgument, cat("invalid value for blkio-weight: ", *weight));
    }
    out.block_io->weight = static_cast<std::uint16_t>(*weight);
  }
  return out;
}

// What the specification remembers afterwards: what was named replaces what was there.
void merge(oci::Resources& into, const oci::Resources& from) {
  auto take = [](auto& to, const auto& value) {
    if (value) to = value;
  };
  auto take_limit = [](auto& to, const auto& value) {
    if (value.value_or(0) != 0) to = value;
  };
  if (from.memory) {
    if (!into.memory) into.memory.emplace();
    take_limit(into.memory->limit, from.memory->limit);
    take_limit(into.memory->reservation, from.memory->reservation);
    take_limit(into.memory->swap, from.memory->swap);
    take_limit(into.memory->kernel_tcp, from.memory->kernel_tcp);
  }
  if (from.cpu) {
    if (!into.cpu) into.cpu.emplace();
    take(into.cpu->shares, from.cpu->shares);
    take(into.cpu->quota, from.cpu->quota);
    take(into.cpu->burst, from.cpu->burst);
    take(into.cpu->period, from.cpu->period);
    take(into.cpu->realtime_runtime, from.cpu->realtime_runtime);
    take(into.cpu->realtime_period, from.cpu->realtime_period);
    take(into.cpu->idle, from.cpu->idle);
    if (!from.cpu->cpus.empty()) into.cpu->cpus = from.cpu->cpus;
    if (!from.cpu->mems.empty()) into.cpu->mems = from.cpu->mems;
  }
  take(into.pids, from.pids);
  if (from.block_io && from.block_io->weight) {
    if (!into.block_io) into.block_io.emplace();
    into.block_io->weight = from.block_io->weight;
  }
  for (const auto& [file, value] : from.unified) into.unified[file] = value;
}

void update_intel_rdt(ContainerState& state, const Arguments& arguments) {
  oci::IntelRdt wanted;
  wanted.l3_cache_schema = arguments.value("l3-cache-schema");
  wanted.mem_bw_schema = arguments.value("mem-bw-schema");
  check_intel_rdt(wanted);
  std::string schemata = render_schemata(wanted);
  if (schemata.empty()) return;
  if (!state.cgroup.resctrl) {
    throw Error(ErrorKind::Conflict,
                "Intel RDT: the container was started without intelRdt and has no class of service");
  }
  update_resctrl(*state.cgroup.resctrl, schemata);
  auto& kept = *state.spec.linux.intel_rdt;
  if (!wanted.l3_cache_schema.empty()) kept.l3_cache_schema = wanted.l3_cache_schema;
  if (!wanted.mem_bw_schema.empty()) kept.mem_bw_schema = wanted.mem_bw_schema;
}

}  // namespace

int command_update(const GlobalOptions& global, Words words) {
  Arguments arguments(kUpdateFlags, words, Order::Mixed);
  arguments.expect("update", 1, 1);
  StateDir dir(global.root, arguments.operand(0));
  ContainerState state = dir.load();
  if (!is_alive(state)) throw Error(ErrorKind::Conflict, "container not running");
  oci::Resources wanted = resources_of(arguments);
  for (const char* flag : {"kernel-memory", "kernel-memory-tcp"}) {
    if (arguments.has(flag)) log::warn(cat("--", flag, " is ignored, as runc ignores it"));
  }
  for (const auto& left_out : update_cgroup(state.cgroup, wanted)) log::warn(left_out);
  update_intel_rdt(state, arguments);
  if (!state.spec.linux.resources) state.spec.linux.resources.emplace();
  merge(*state.spec.linux.resources, wanted);
  dir.save(state);
  return 0;
}

}  // namespace proa::runtime
