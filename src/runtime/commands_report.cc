// proa-runtime state, list, ps, events.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "os/file.h"
#include "os/process.h"
#include "os/user_db.h"
#include "runtime/cgroup_events.h"
#include "runtime/cli.h"
#include "runtime/command_flags.h"
#include "runtime/state_dir.h"

namespace proa::runtime {
namespace {

void print(std::string_view text) { os::write_all(STDOUT_FILENO, text); }

// The user's name, or "#uid" where the host has none.
std::string owner_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) < 0) return "";
  for (const auto& entry : os::parse_passwd(os::try_read_file("/etc/passwd").value_or(""))) {
    if (entry.uid == info.st_uid) return entry.name;
  }
  return cat("#", info.st_uid);
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
  out["owner"] = owner_of(dir.path());
  return out;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

// What ps(1) says, its lines of other processes left out.
std::string ps_table(std::vector<std::string> options, const std::vector<pid_t>& wanted) {
  if (options.empty()) options.push_back("-ef");
  os::RunOptions run;
  run.spawn.argv = {"ps"};
  run.spawn.argv.insert(run.spawn.argv.end(), options.begin(), options.end());
  auto result = os::run_program(run);
  if (result.exit.code != 0) throw Error(ErrorKind::InvalidArgument, cat("ps: ", trim(result.err)));
  std::string out;
  std::optional<std::size_t> column;
  for (const auto& line : split(result.out, '\n')) {
    auto words = split(line, ' ');
    std::erase(words, "");
    if (!column) {
      auto found = std::find(words.begin(), words.end(), "PID");
      if (found == words.end()) throw Error(ErrorKind::InvalidArgument, "couldn't find PID field in ps output");
      column = static_cast<std::size_t>(found - words.begin());
      out += line + "\n";
    } else if (words.size() > *column) {
      auto pid = parse_int<int>(words[*column]);
      if (pid && std::find(wanted.begin(), wanted.end(), *pid) != wanted.end()) out += line + "\n";
    }
  }
  return out;
}

// "table" or "json".
std::string format_of(const Arguments& arguments) {
  std::string format = arguments.value("format", "table");
  if (format != "table" && format != "json") throw Error(ErrorKind::InvalidArgument, "invalid format option");
  return format;
}

std::int64_t interval_of(const Arguments& arguments) {
  std::string text = arguments.value("interval", "5s");
  auto unit = text.find_first_not_of("0123456789");
  auto number = parse_int<std::int64_t>(std::string_view(text).substr(0, unit));
  std::string_view name = unit == std::string::npos ? "" : std::string_view(text).substr(unit);
  std::int64_t scale = name == "ms" ? kMillisecond : name == "s" ? kSecond : name == "m" ? 60 * kSecond : 0;
  if (!number || *number <= 0 || *number > 1'000'000 || scale == 0) {
    throw Error(ErrorKind::InvalidArgument, cat("invalid value ", quoted(text), " for flag -interval"));
  }
  return *number * scale;
}

}  // namespace

int command_state(const GlobalOptions& global, Words words) {
  Arguments arguments({}, words, Order::Mixed);
  arguments.expect("state", 1, 1);
  StateDir dir(global.root, arguments.operand(0));
  print(json::pretty(describe(dir.load(), dir), "  ") + "\n");
  return 0;
}

int command_list(const GlobalOptions& global, Words words) {
  Arguments arguments(kListFlags, words, Order::Mixed);
  arguments.expect("list", 0, 0);
  JsonArray all;
  std::string table = cat(padded("ID", 36), padded("PID", 12), padded("STATUS", 12), padded("BUNDLE", 40),
                          padded("CREATED", 36), "OWNER\n");
  std::string ids;
  for (const auto& id : list_containers(global.root)) {
    StateDir dir(global.root, id);
    JsonObject one = describe(dir.load(), dir);
    auto text = [&](const char* key) { return json::string_at(one, key); };
    table += cat(padded(id + " ", 36), padded(cat(json::int_at(one, "pid")), 12), padded(text("status"), 12),
                 padded(text("bundle") + " ", 40), padded(text("created") + " ", 36), text("owner"), "\n");
    ids += id + "\n";
    all.push_back(std::move(one));
  }
  if (arguments.has("quiet")) {
    print(ids);
  } else if (format_of(arguments) == "json") {
    print(json::text(all) + "\n");
  } else {
    print(table);
  }
  return 0;
}

namespace {

const CgroupHandle& group_of(const ContainerState& state) {
  if (!state.cgroup.path.empty()) return state.cgroup;
  throw Error(ErrorKind::Unavailable, "the container has no control group, by which its processes are known");
}

}  // namespace

int command_ps(const GlobalOptions& global, Words words) {
  Arguments arguments(kPsFlags, words);
  arguments.expect("ps", 1, kAnyNumber);
  StateDir dir(global.root, arguments.operand(0));
  auto found = pids(group_of(dir.load()));
  if (format_of(arguments) == "json") {
    JsonArray out(found.begin(), found.end());
    print(json::text(out) + "\n");
  } else {
    print(ps_table({arguments.operands().begin() + 1, arguments.operands().end()}, found));
  }
  return 0;
}

int command_events(const GlobalOptions& global, Words words) {
  Arguments arguments(kEventsFlags, words, Order::Mixed);
  arguments.expect("events", 1, 1);
  std::int64_t interval = interval_of(arguments);
  StateDir dir(global.root, arguments.operand(0));
  ContainerState state = dir.load();
  if (!is_alive(state)) throw Error(ErrorKind::Conflict, cat("container with id ", state.id, " is not running"));
  auto say = [&](std::string_view type, Json data) {
    JsonObject event{{"type", type}, {"id", state.id}};
    if (!data.is_null()) event["data"] = std::move(data);
    print(json::text(event) + "\n");
  };
  if (arguments.has("stats")) {
    say("stats", event_stats(group_of(state)));
    return 0;
  }
  OomWatch watch(group_of(state));
  for (auto next = monotonic_now() + interval;;) {
    switch (watch.wait(next - monotonic_now())) {
      case OomWatch::Seen::Gone:
        return 0;
      case OomWatch::Seen::Oom:
        say("oom", {});
        break;
      case OomWatch::Seen::Nothing:
        say("stats", event_stats(state.cgroup));
        next += interval;
    }
  }
}

}  // namespace proa::runtime
