#include "engine/execs.h"

#include <algorithm>
#include <condition_variable>

#include "api/stdcopy.h"
#include "base/id.h"
#include "base/text.h"
#include "base/trace.h"
#include "engine/apparmor.h"
#include "engine/attach.h"
#include "engine/capability_set.h"
#include "engine/event_attributes.h"
#include "engine/health.h"
#include "engine/links.h"
#include "engine/live_root.h"
#include "engine/monitor.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "engine/security_options.h"
#include "engine/spec_builder.h"
#include "engine/start_error.h"
#include "os/file.h"
#include "os/process.h"
#include "os/rooted_dir.h"
#include "shim/client.h"
#include "shim/detach_keys.h"

namespace proa::engine {

struct Exec {
  std::string id, container_id;
  api::ExecConfig config;
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  bool started = false, running = false;
  std::optional<int> exit_code;
  pid_t pid = 0;
  std::int64_t finished = 0;  // monotonic
  std::int64_t begun = 0;
};

namespace {

constexpr std::int64_t kKeepFinished = 300 * kSecond;

// docker's: the program, a blank, the arguments.
std::string command_text(const api::ExecConfig& config) {
  return cat(config.cmd.front(), " ", join(std::span(config.cmd).subspan(1), " "));
}

oci::Process build_process(const Rooms& rooms, const Container& container, const Snapshot& snapshot,
                           const api::ExecConfig& config, const ExecStartOptions& options) {
  oci::Process process;
  const auto& definition = *snapshot.definition;
  auto root = live_root(container, snapshot.state);
  auto user = os::resolve_user(root, config.user.empty() ? definition.config.user : config.user,
                               definition.host_config.group_add);
  process.user.uid = user.uid;
  process.user.gid = user.gid;
  process.user.additional_gids = user.groups;
  process.user.umask = definition.host_config.umask;
  process.args = config.cmd;
  // The user may be another one than the container's: HOME is looked up anew unless it was given.
  process.env = merge_environment(
      container_environment(definition, user.home, linked_containers(rooms, definition).environment), config.env);
  if (config.tty &&
      std::none_of(process.env.begin(), process.env.end(), [](const auto& e) { return e.starts_with("TERM="); })) {
    process.env.push_back("TERM=xterm");
  }
  process.cwd = !config.working_dir.empty()
                    ? config.working_dir
                    : (definition.config.working_dir.empty() ? "/" : definition.config.working_dir);
  process.terminal = config.tty;
  if (config.tty && options.height > 0) {
    process.console_size = oci::ConsoleSize{.height = static_cast<std::uint64_t>(options.height),
                                            .width = static_cast<std::uint64_t>(options.width)};
  } else if (config.tty && config.console_size && config.console_size->size() == 2) {
    process.console_size = oci::ConsoleSize{.height = (*config.console_size)[0], .width = (*config.console_size)[1]};
  }
  auto capabilities =
      container_capabilities(definition.host_config.cap_add, definition.host_config.cap_drop,
                             definition.host_config.privileged || config.privileged, rooms.host.last_capability);
  oci::Capabilities sets;
  sets.bounding = capabilities;
  if (user.uid == 0) sets.effective = sets.permitted = capabilities;
  process.capabilities = std::move(sets);
  auto security = parse_security_options(definition.host_config.security_opt);
  process.no_new_privileges = security.no_new_privileges.value_or(rooms.config->no_new_privileges);
  process.apparmor_profile = rooms.apparmor->prepare(definition.host_config);
  process.oom_score_adj = definition.host_config.oom_score_adj;
  return process;
}

// docker's: 127 where nothing was found, 126 for all else that kept the program from running.
int exec_exit_code(std::string_view message) { return start_exit_code(message) == 127 ? 127 : 126; }

Error exec_error(const Error& cause) {
  bool of_process = cause.message().starts_with("exec: \"") || cause.message().starts_with("chdir to cwd") ||
                    cause.message().starts_with("Cwd must be");
  if (!of_process) return cause;
  return Error(
      cause.kind(),
      cat("OCI runtime exec failed: exec failed: unable to start container process: ", cause.message(), ": unknown"));
}

}  // namespace

Execs::Execs(Rooms& rooms) : rooms_(rooms) {}
Execs::~Execs() = default;

std::string Execs::create(std::string_view reference, const api::ExecConfig& config) {
  trace::Span span("engine.exec_create");
  auto container = rooms_.roster->get(reference);
  container->settled_state();
  auto snapshot = container->snapshot();
  if (config.cmd.empty()) throw Error(ErrorKind::InvalidArgument, "No exec command specified");
  if (snapshot->state.status == Status::Paused) {
    throw Error(ErrorKind::Conflict, cat("Container ", reference, " is paused, unpause the container before exec"));
  }
  if (snapshot->state.status == Status::Restarting) {
    throw Error(ErrorKind::Conflict,
                cat("Container ", container->id(), " is restarting, wait until the container is running"));
  }
  if (!snapshot->state.running())
    throw Error(ErrorKind::Conflict, cat("container ", container->id(), " is not running"));
  if (!config.detach_keys.empty()) shim::parse_detach_keys(config.detach_keys);
  auto exec = std::make_shared<Exec>();
  exec->id = new_id();
  exec->container_id = container->id();
  exec->config = config;
  {
    auto execs = execs_.lock();
    auto limit = monotonic_now() - kKeepFinished;
    std::erase_if(*execs, [&](const auto& entry) {
      std::lock_guard guard(entry.second->mutex);
      return entry.second->finished != 0 && entry.second->finished < limit;
    });
    (*execs)[exec->id] = exec;
  }
  emit_container(*rooms_.events, *snapshot->definition, cat("exec_create: ", command_text(config)),
                 {{"execID", exec->id}});
  return exec->id;
}

std::shared_ptr<Exec> Execs::get(const std::string& id) const {
  auto execs = execs_.lock();
  if (auto it = execs->find(id); it != execs->end()) return it->second;
  throw Error(ErrorKind::NotFound, cat("No such exec instance: ", id));
}

void Execs::start(const std::string& id, const ExecStartOptions& options, const TakeOver& take_over) {
  trace::Span span("engine.exec_start");
  auto exec = get(id);
  auto container = rooms_.roster->by_id(exec->container_id);
  if (!container) throw Error(ErrorKind::NotFound, cat("No such container: ", exec->container_id));
  auto snapshot = container->snapshot();
  if (snapshot->state.status == Status::Paused) {
    throw Error(ErrorKind::Conflict,
                cat("Container ", container->id(), " is paused, unpause the container before exec"));
  }
  if (!snapshot->state.running())
    throw Error(ErrorKind::Conflict, cat("container ", container->id(), " is not running"));
  {
    std::lock_guard guard(exec->mutex);
    if (exec->exit_code) throw Error(ErrorKind::Conflict, cat("Error: Exec command ", id, " has already run"));
    if (exec->started) throw Error(ErrorKind::Conflict, cat("Error: Exec command ", id, " is already running"));
    exec->started = exec->running = true;
    exec->begun = monotonic_now();
  }
  const auto& config = exec->config;
  shim::ExecRequest request;
  ClientStream stream;
  request.exec_id = id;
  try {
    if (!options.detach) {
      stream = take_over(config.tty);
      AttachOptions attach{.stream = true,
                           .in = config.attach_stdin,
                           .out = config.attach_stdout,
                           .err = config.attach_stderr,
                           .detach_keys = config.detach_keys};
      request.attach = attach_stream_of(attach, config.tty, std::move(stream.early_bytes));
    }
    request.open_stdin = config.attach_stdin && !options.detach;
    request.process = build_process(rooms_, *container, *snapshot, config, options);
    emit_container(*rooms_.events, *snapshot->definition, cat("exec_start: ", command_text(config)), {{"execID", id}});
    std::optional<int> socket;
    if (!options.detach) socket = stream.socket.get();
    auto pid = shim::Client(rooms_.monitor->run_dir(container->id())).exec(request, socket);
    span.set("pid", static_cast<std::int64_t>(pid));
    std::lock_guard guard(exec->mutex);
    exec->pid = pid;
    exec->changed.notify_all();
  } catch (const Error& cause) {
    auto error = exec_error(cause);
    exited(id, exec_exit_code(error.message()));
    if (options.detach || !stream.socket) throw error;
    auto text = cat(error.message(), "\r\n");
    try {
      os::write_all(stream.socket.get(), config.tty ? text : api::frame(api::StreamType::Stdout, text));
    } catch (const Error&) {
      // nobody reads any more
    }
  }
}

void Execs::resize(const std::string& id, int height, int width) {
  auto exec = get(id);
  {
    std::unique_lock lock(exec->mutex);  // may come before the process is there
    exec->changed.wait_for(lock, std::chrono::milliseconds(500), [&] { return exec->pid != 0 || exec->exit_code; });
    if (!exec->running || exec->pid == 0) {
      throw Error(ErrorKind::Conflict, cat("exec ", id, " is not running"));
    }
  }
  shim::Client(rooms_.monitor->run_dir(exec->container_id))
      .resize(static_cast<std::uint16_t>(height), static_cast<std::uint16_t>(width), id);
}

api::ExecInspect Execs::inspect(const std::string& id) const {
  auto exec = get(id);
  std::unique_lock lock(exec->mutex);
  // Reaped (or ended before its pid was noted): the notice is under way, and the client that saw the end of the stream
  // wants the exit code.
  auto ending = [&] { return exec->running && (exec->pid == 0 || !os::start_time_ticks(exec->pid)); };
  for (int tries = 0; ending() && tries < 400; ++tries) exec->changed.wait_for(lock, std::chrono::milliseconds(5));
  api::ExecInspect out;
  out.id = id;
  out.running = exec->running;
  out.exit_code = exec->exit_code;
  out.process_config.tty = exec->config.tty;
  out.process_config.entrypoint = exec->config.cmd.front();
  out.process_config.arguments = {exec->config.cmd.begin() + 1, exec->config.cmd.end()};
  out.process_config.privileged = exec->config.privileged;
  out.process_config.user = exec->config.user;
  out.open_stdin = exec->config.attach_stdin;
  out.open_stdout = exec->config.attach_stdout;
  out.open_stderr = exec->config.attach_stderr;
  out.container_id = exec->container_id;
  out.detach_keys = exec->config.detach_keys;
  out.pid = exec->pid;
  return out;
}

void Execs::exited(const std::string& id, int exit_code) {
  std::shared_ptr<Exec> exec;
  {
    auto execs = execs_.lock();
    auto it = execs->find(id);
    if (it == execs->end()) return;
    exec = it->second;
  }
  std::int64_t begun = 0;
  {
    std::lock_guard guard(exec->mutex);
    exec->running = false;
    exec->exit_code = exit_code;
    exec->finished = monotonic_now();
    begun = exec->begun;
    exec->changed.notify_all();
  }
  if (auto container = rooms_.roster->by_id(exec->container_id)) {
    emit_container(*rooms_.events, *container->definition(), "exec_die",
                   {{"execID", id},
                    {"exitCode", std::to_string(exit_code)},
                    {"execDuration", std::to_string((monotonic_now() - begun) / kSecond)}});
  }
}

std::vector<std::string> Execs::of_container(const std::string& container_id) const {
  std::vector<std::string> out;
  auto execs = execs_.lock();
  for (const auto& [id, exec] : *execs) {
    std::lock_guard guard(exec->mutex);
    if (exec->container_id == container_id && exec->running) out.push_back(id);
  }
  return out;
}

void Execs::forget_container(const std::string& container_id) {
  auto execs = execs_.lock();
  std::erase_if(*execs, [&](const auto& entry) { return entry.second->container_id == container_id; });
}

}  // namespace proa::engine
