// start, attach, exec and logs: verbs that show a container's streams.
#include <unistd.h>

#include "api/inspect.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/attached.h"
#include "cli/console.h"
#include "cli/create_options.h"
#include "cli/grammars.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {

bool config_bool(const Json& inspected, std::string_view section, std::string_view name) {
  const Json* part = json::find(inspected, section);
  return part && json::bool_at(*part, name);
}

int start_attached(Call& call) {
  if (call.arguments().size() != 1) throw ExitWith{1, "you cannot start and attach multiple containers at once"};
  Json inspected = call.session.get(container_path(call.arguments()[0], "json"));
  std::string id = json::string_at(inspected, "Id");
  bool tty = config_bool(inspected, "Config", "Tty"), auto_remove = config_bool(inspected, "HostConfig", "AutoRemove");
  bool input = call.flags.on("interactive") && config_bool(inspected, "Config", "OpenStdin");
  check_tty(input, tty);
  std::optional<SignalQueue> signals(std::in_place, tty ? terminal_signals() : forwarded_signals());
  StreamChoice choice{input, true, true, call.flags.text("detach-keys")};
  http::Hijacked stream = attach_container(call.session, id, choice);
  WaitRequest wait(call.session, id, auto_remove ? "removed" : "next-exit");
  call.session.post(container_path(id, "start"));
  Attached attached{call.session, id, tty, true, ""};
  if (tty) attached.resize();
  if (attached.pump_stream(stream, choice, &*signals) == StreamEnd::Detached) return 0;
  return wait.status();
}

// "10m" before now, a date or seconds, as the API wants it.
void add_time(Query& query, const Flags& flags, const char* name) {
  std::string value = flags.text(name);
  if (value.empty()) return;
  auto time = parse_timestamp(value, now());
  if (!time)
    throw ExitWith{1,
                   cat("invalid value for \"", name, "\": failed to parse value as time or duration: ", quoted(value))};
  std::string nanos = cat(*time % kSecond);
  query.emplace_back(name,
                     cat(*time / kSecond, ".", std::string(9 - std::min<std::size_t>(9, nanos.size()), '0'), nanos));
}

api::ExecConfig plan_exec(Call& call) {
  const Flags& flags = call.flags;
  api::ExecConfig config;
  config.user = flags.text("user");
  config.privileged = flags.on("privileged");
  config.tty = flags.on("tty");
  config.detach = flags.on("detach");
  if (!config.detach) config.attach_stdout = config.attach_stderr = true, config.attach_stdin = flags.on("interactive");
  config.detach_keys = flags.text("detach-keys");
  config.working_dir = flags.text("workdir");
  Surroundings around = process_surroundings();
  for (const std::string& path : flags.list("env-file")) {
    for (const std::string& line : parse_key_value_lines(around.read_file(path), path, nullptr)) {
      auto value = line.find('=') == std::string::npos ? around.variable(line) : std::nullopt;
      if (value || line.find('=') != std::string::npos) config.env.push_back(value ? cat(line, "=", *value) : line);
    }
  }
  for (const std::string& item : flags.list("env")) {
    auto value = item.find('=') == std::string::npos ? around.variable(item) : std::nullopt;
    config.env.push_back(value ? cat(item, "=", *value) : item);
  }
  config.cmd.assign(call.arguments().begin() + 1, call.arguments().end());
  return config;
}

}  // namespace

int run_start(Call& call) {
  if (call.flags.given("checkpoint")) throw ExitWith{1, "checkpoints are not available in this version"};
  if (call.flags.on("attach") || call.flags.on("interactive")) return start_attached(call);
  std::vector<std::string> failed;
  for (const std::string& name : call.arguments()) {
    try {
      call.session.post(container_path(name, "start"));
      out_line(name);
    } catch (const Error& error) {
      err_line(error.message());
      failed.push_back(name);
    }
  }
  if (!failed.empty()) throw ExitWith{1, cat("Error: failed to start containers: ", join(failed, ", "))};
  return 0;
}

int run_attach(Call& call) {
  Json inspected = call.session.get(container_path(call.arguments()[0], "json"));
  auto state = [&](const char* name) { return config_bool(inspected, "State", name); };
  if (!state("Running")) throw ExitWith{1, "You cannot attach to a stopped container, start it first"};
  if (state("Paused")) throw ExitWith{1, "You cannot attach to a paused container, unpause it first"};
  if (state("Restarting")) throw ExitWith{1, "You cannot attach to a restarting container, wait until it is running"};
  std::string id = json::string_at(inspected, "Id");
  bool tty = config_bool(inspected, "Config", "Tty"),
       input = !call.flags.on("no-stdin") && config_bool(inspected, "Config", "OpenStdin");
  check_tty(input, tty);
  bool proxy = call.flags.on("sig-proxy") && !tty;
  std::optional<SignalQueue> signals;
  if (proxy || tty) signals.emplace(tty ? terminal_signals() : forwarded_signals());
  StreamChoice choice{input, true, true, call.flags.text("detach-keys")};
  WaitRequest wait(call.session, id, "");
  http::Hijacked stream = attach_container(call.session, id, choice);
  Attached attached{call.session, id, tty, proxy, ""};
  if (tty) attached.redraw();
  if (attached.pump_stream(stream, choice, signals ? &*signals : nullptr) == StreamEnd::Detached) {
    throw ExitWith{1, "read escape sequence"};
  }
  // The stream may also have ended because another client detached us: only an exit has a status.
  constexpr int kExitMs = 2000;
  return wait.ready_within(kExitMs) ? wait.status() : 0;
}

int run_exec(Call& call) {
  api::ExecConfig config = plan_exec(call);
  if (!config.detach) check_tty(config.attach_stdin, config.tty);
  auto size = os::tty_size(STDOUT_FILENO);
  if (config.tty && size) config.console_size = std::vector<std::uint32_t>{size->rows, size->columns};
  Json created = call.session.post(container_path(call.arguments()[0], "exec"), {}, api::to_json(config));
  std::string id = json::string_at(created, "Id");
  if (id.empty()) throw ExitWith{1, "exec ID empty"};
  api::ExecStart start{config.detach, config.tty, config.console_size};
  if (config.detach) {
    call.session.post(cat("/exec/", id, "/start"), {}, api::to_json(start));
    return 0;
  }
  std::optional<SignalQueue> signals;
  if (config.tty) signals.emplace(terminal_signals());
  http::Hijacked stream = call.session.hijack(cat("/exec/", id, "/start"), {}, api::to_json(start));
  Attached attached{call.session, "", config.tty, false, id};
  if (config.tty) attached.resize();
  StreamChoice choice{config.attach_stdin, true, true, config.detach_keys};
  if (attached.pump_stream(stream, choice, signals ? &*signals : nullptr) == StreamEnd::Detached) {
    throw ExitWith{1, "read escape sequence"};
  }
  Json inspected = call.session.get(cat("/exec/", id, "/json"));
  return static_cast<int>(json::int_at(inspected, "ExitCode"));
}

int run_logs(Call& call) {
  const Flags& flags = call.flags;
  StreamRequest request;
  Query query{{"stdout", "1"}, {"stderr", "1"}};
  add_time(query, flags, "since");
  add_time(query, flags, "until");
  if (flags.on("timestamps")) query.emplace_back("timestamps", "1");
  if (flags.on("details")) query.emplace_back("details", "1");
  if (flags.on("follow")) query.emplace_back("follow", "1");
  query.emplace_back("tail", flags.text("tail"));
  Json inspected = call.session.get(container_path(call.arguments()[0], "json"));
  request.path = container_path(json::string_at(inspected, "Id"), "logs");
  request.query = to_query(query);
  auto response = call.session.stream(request);
  bool tty = config_bool(inspected, "Config", "Tty");
  Demultiplexer demultiplexer;
  std::vector<std::byte> buffer(32 << 10);
  while (std::size_t count = response->read(buffer)) {
    std::string_view bytes(reinterpret_cast<const char*>(buffer.data()), count);
    if (tty)
      out(bytes);
    else
      demultiplexer.push(bytes);
  }
  return 0;
}

}  // namespace proa::cli
