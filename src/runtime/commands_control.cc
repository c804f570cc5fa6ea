// proa-runtime kill, delete, state, list, ps, pause, resume, update, events.
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "base/units.h"
#include "os/file.h"
#include "os/process.h"
#include "runtime/cli.h"
#include "runtime/state_dir.h"
#include "runtime/verbs.h"

namespace proa::runtime {
namespace {

void print(std::string_view text) { os::write_all(STDOUT_FILENO, text); }

constexpr FlagSpec kKillFlags[] = {{"all", "a", false}};
constexpr FlagSpec kDeleteFlags[] = {{"force", "f", false}};
constexpr FlagSpec kFormatFlags[] = {{"format", "f", true}, {"quiet", "q", false}};
constexpr FlagSpec kEventsFlags[] = {{"stats", "", false}, {"interval", "", true}};
constexpr FlagSpec kUpdateFlags[] = {
    {"resources", "r", true},    {"memory", "", true},           {"memory-reservation", "", true},
    {"memory-swap", "", true},   {"cpu-period", "", true},       {"cpu-quota", "", true},
    {"cpu-share", "", true},     {"cpuset-cpus", "", true},      {"cpuset-mems", "", true},
    {"pids-limit", "", true},    {"blkio-weight", "", true},     {"cpu-burst", "", true},
    {"cpu-rt-period", "", true}, {"cpu-rt-runtime", "", true},   {"cpu-idle", "", true},
    {"kernel-memory", "", true}, {"kernel-memory-tcp", "", true}};

void remove_container(StateDir& dir, const ContainerState& state) {
  if (!destroy_cgroup(state.cgroup))
    throw Error(ErrorKind::Unavailable, "failed to remove the container's cgroup: it is busy");
  if (state.spec.hooks) {
    try {
      run_hooks(state.spec.hooks->poststop, state_document(state.spec, state.id, "stopped", 0, state.bundle));
    } catch (const Error& error) {
      log::warn(error.message());
    }
  }
  dir.remove();
}

void wait_until_dead(const ContainerState& state) {
  auto deadline = monotonic_now() + 10 * kSecond;
  while (is_alive(state)) {
    if (monotonic_now() > deadline) throw Error(ErrorKind::Deadline, "container init still running");
    timespec pause{0, 2'000'000};
    ::nanosleep(&pause, nullptr);
  }
}

JsonObject describe(const ContainerState& state, const StateDir& dir) {
  std::string status = status_of(state, dir);
  JsonObject annotations;
  for (const auto& [key, value] : state.spec.annotations) annotations[key] = value;
  JsonObject out{{"ociVersion", state.spec.oci_version},
                 {"id", state.id},
                 {"pid", status == "stopped" ? 0 : state.pid},
                 {"status", status},
                 {"bundle", state.bundle},
                 {"rootfs", state.rootfs},
                 {"created", state.created}};
  if (!annotations.empty()) out["annotations"] = std::move(annotations);
  out["owner"] = state.owner;
  return out;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::optional<std::int64_t> byte_count(const Arguments& arguments, std::string_view flag) {
  std::string text = arguments.value(flag);
  if (text.empty()) return std::nullopt;
  if (text == "-1") return -1;
  auto plain = parse_int<std::int64_t>(text);
  if (plain) return plain;
  auto unit = std::string_view("kmgtb").find(to_lower(text).back());
  auto number = parse_int<std::int64_t>(std::string_view(text).substr(0, text.size() - 1));
  if (!number || unit == std::string_view::npos || *number > (INT64_MAX >> 40)) {
    throw Error(ErrorKind::InvalidArgument, cat("invalid value for ", flag, ": ", text));
  }
  constexpr int kShift[] = {10, 20, 30, 40, 0};
  return *number << kShift[unit];
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
    out.block_io->weight = static_cast<std::uint16_t>(*weight);
  }
  return out;
}

}  // namespace

int command_kill(const GlobalOptions& global, Words words) {
  // Flags may follow the id, as in `runc kill --all ID KILL` and `runc kill ID --all`.
  std::vector<std::string> sorted;
  bool all = false;
  for (const auto& word : words) {
    if (word == "--all" || word == "-a") {
      all = true;
    } else {
      sorted.push_back(word);
    }
  }
  Arguments arguments(kKillFlags, sorted);
  StateDir dir(global.root, arguments.operand(0));
  ContainerState state = dir.load();
  std::string name = arguments.operands().size() > 1 ? arguments.operands()[1] : "SIGTERM";
  auto signal = os::parse_signal(name);
  if (!signal) throw Error(ErrorKind::InvalidArgument, cat("unknown signal ", quoted(name)));
  if (all) {
    kill_all(state.cgroup, *signal);
    return 0;
  }
  if (!is_alive(state)) throw Error(ErrorKind::Conflict, "container not running");
  auto pidfd = os::try_open_pidfd(state.pid);
  if (!pidfd || !is_alive(state) || !os::try_signal_pidfd(pidfd->get(), *signal)) {
    throw Error(ErrorKind::Conflict, "container not running");
  }
  // A frozen process would die of SIGKILL only when it is thawed (v1).
  if (*signal == SIGKILL && is_frozen(state.cgroup)) thaw(state.cgroup);
  return 0;
}

int command_delete(const GlobalOptions& global, Words words) {
  Arguments arguments(kDeleteFlags, words);
  bool force = arguments.has("force");
  StateDir dir(global.root, arguments.operand(0));
  ContainerState state;
  try {
    state = dir.load();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::NotFound) throw;
    dir.remove();  // half-made: a create that died
    if (force) return 0;
    throw;
  }
  std::string status = status_of(state, dir);
  if (status != "stopped") {
    if (!force && status != "created") {
      throw Error(ErrorKind::Conflict, cat("cannot delete container ", state.id, " that is not stopped: ", status));
    }
    kill_all(state.cgroup, SIGKILL);
    if (auto pidfd = os::try_open_pidfd(state.pid); pidfd && is_alive(state)) {
      os::try_signal_pidfd(pidfd->get(), SIGKILL);
    }
    wait_until_dead(state);
  }
  // Without a pid namespace of its own others may have outlived init.
  kill_all(state.cgroup, SIGKILL);
  remove_container(dir, state);
  return 0;
}

int command_state(const GlobalOptions& global, Words words) {
  Arguments arguments({}, words);
  StateDir dir(global.root, arguments.operand(0));
  print(json::pretty(describe(dir.load(), dir), "  ") + "\n");
  return 0;
}

int command_list(const GlobalOptions& global, Words words) {
  Arguments arguments(kFormatFlags, words);
  JsonArray all;
  std::string table = cat(padded("ID", 36), padded("PID", 12), padded("STATUS", 12), padded("BUNDLE", 40), "CREATED\n");
  std::string ids;
  for (const auto& id : list_containers(global.root)) {
    StateDir dir(global.root, id);
    JsonObject one = describe(dir.load(), dir);
    auto text = [&](const char* key) { return json::string_at(one, key); };
    table += cat(padded(id + " ", 36), padded(cat(json::int_at(one, "pid")), 12), padded(text("status"), 12),
                 padded(text("bundle") + " ", 40), text("created"), "\n");
    ids += id + "\n";
    all.push_back(std::move(one));
  }
  if (arguments.has("quiet")) {
    print(ids);
  } else if (arguments.value("format") == "json") {
    print(json::text(all) + "\n");
  } else {
    print(table);
  }
  return 0;
}

int command_ps(const GlobalOptions& global, Words words) {
  Arguments arguments(kFormatFlags, words);
  StateDir dir(global.root, arguments.operand(0));
  auto found = pids(dir.load().cgroup);
  if (arguments.value("format") == "json") {
    JsonArray out(found.begin(), found.end());
    print(json::text(out) + "\n");
    return 0;
  }
  std::string out = "PID      COMMAND\n";
  for (pid_t pid : found) {
    auto command = os::try_read_file(cat("/proc/", pid, "/cmdline"), 1 << 20).value_or("");
    for (char& c : command) c = c == '\0' ? ' ' : c;
    out += cat(padded(cat(pid), 9), trim(command), "\n");
  }
  print(out);
  return 0;
}

int command_pause(const GlobalOptions& global, Words words) {
  Arguments arguments({}, words);
  StateDir dir(global.root, arguments.operand(0));
  ContainerState state = dir.load();
  if (std::string status = status_of(state, dir); status != "running" && status != "created") {
    throw Error(ErrorKind::Conflict, "container not running");
  }
  freeze(state.cgroup);
  return 0;
}

int command_resume(const GlobalOptions& global, Words words) {
  Arguments arguments({}, words);
  StateDir dir(global.root, arguments.operand(0));
  ContainerState state = dir.load();
  if (status_of(state, dir) != "paused") throw Error(ErrorKind::Conflict, "container not paused");
  thaw(state.cgroup);
  return 0;
}

int command_update(const GlobalOptions& global, Words words) {
  // The id may come before the flags.
  std::vector<std::string> sorted(words.begin(), words.end());
  if (!sorted.empty() && !sorted[0].starts_with('-')) {
    sorted.push_back(sorted[0]);
    sorted.erase(sorted.begin());
  }
  Arguments arguments(kUpdateFlags, sorted);
  StateDir dir(global.root, arguments.operand(0));
  update_cgroup(dir.load().cgroup, resources_of(arguments));
  return 0;
}

int command_events(const GlobalOptions& global, Words words) {
  std::vector<std::string> sorted;
  for (const auto& word : words) {
    if (word.starts_with('-'))
      sorted.insert(sorted.begin(), word);
    else
      sorted.push_back(word);
  }
  Arguments arguments(kEventsFlags, sorted);
  StateDir dir(global.root, arguments.operand(0));
  ContainerState state = dir.load();
  if (!arguments.has("stats")) {
    throw Error(ErrorKind::NotImplemented, "events without --stats is not supported");
  }
  print(json::text(JsonObject{{"type", "stats"}, {"id", state.id}, {"data", to_json(stats(state.cgroup))}}) + "\n");
  return 0;
}

}  // namespace proa::runtime
