// What the daemon asks of a running shim.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "base/text.h"
#include "os/process.h"
#include "os/socket.h"
#include "shim/connection.h"

namespace proa::shim {
namespace {

constexpr std::size_t kMaxConnections = 64;
constexpr std::size_t kMaxUntold = 256;

Json done() { return JsonObject{}; }

std::uint16_t size_at(const Json& body, std::string_view key) {
  return static_cast<std::uint16_t>(std::clamp<std::int64_t>(json::int_at(body, key), 0, 65535));
}

}  // namespace

void Shim::accept() {
  os::Fd socket;
  try {
    socket = listener_->accept();
    if (os::peer_credentials(socket.get()).uid != ::geteuid()) return;
  } catch (const Error& error) {  // it has left again; or we have no descriptor for it, which may last
    timespec pause{0, 10'000'000};
    if (error.errno_code() == EMFILE || error.errno_code() == ENFILE) ::nanosleep(&pause, nullptr);
    return;
  }
  if (connections_.size() >= kMaxConnections) return;
  connections_.push_back(std::make_unique<Connection>(*this, std::move(socket)));
}

void Shim::disconnected(Connection& connection) {
  connection.close();
  for (auto& kept : connections_) {
    if (kept.get() == &connection) loop_.retire(std::move(kept));
  }
  std::erase_if(connections_, [](const auto& kept) { return !kept; });
}

void Shim::notify(const Notice& notice) {
  Json packet = to_json(notice);
  std::string text = json::text(packet);
  bool told = false;
  std::vector<Connection*> deaf;
  for (auto& connection : connections_) {
    if (!connection->subscribed) continue;
    // A daemon that does not read must not stop us: it is let go, and finds exit.json when it connects again.
    if (::send(connection->socket(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      deaf.push_back(connection.get());
    } else {
      told = true;
    }
  }
  for (auto* connection : deaf) disconnected(*connection);
  bool recorded = notice.kind == NoticeKind::Exited && notice.exit.exec_id.empty();
  if (!told && !recorded && untold_.size() < kMaxUntold) untold_.push_back(notice);
}

void Shim::request(Connection& connection, Packet packet) {
  trace::Recorder recorder("shim");
  Json answer;
  try {
    trace::Scope scope(recorder);
    const Json* body = json::find(packet.body, "body");
    Json result = perform(connection, json::string_at(packet.body, "op"), body ? *body : Json(), packet.fds);
    answer = reply(std::move(result), recorder.events());
  } catch (...) {
    answer = reply(to_error(std::current_exception()), recorder.events());
  }
  try {
    if (!connection.retired) send_packet(connection.socket(), answer);
  } catch (const Error&) {
    disconnected(connection);
  }
}

Json Shim::perform(Connection& connection, std::string_view operation, const Json& body, std::vector<os::Fd>& fds) {
  if (operation == "state") return to_json(state());
  if (operation == "subscribe") return subscribe(connection);
  if (operation == "shutdown") {
    if (!exited_) throw Error(ErrorKind::Conflict, cat("container ", id_, " is running"));
    acknowledged_ = true;
    return done();
  }
  if (exited_) throw Error(ErrorKind::Conflict, cat("container ", id_, " is not running"));
  if (operation == "listen") return listen_again(), done();
  if (operation == "attach") return attach(body, fds);
  if (operation == "exec") return exec(body, fds);
  if (operation == "signal") return signal(body);
  if (operation == "resize") {
    io_of(json::string_at(body, "exec_id")).resize(size_at(body, "height"), size_at(body, "width"));
    return done();
  }
  if (operation == "close_stdin") {
    io_of(json::string_at(body, "exec_id")).close_stdin();
    return done();
  }
  if (operation == "pause" || operation == "resume") {
    operation == "pause" ? payload_->pause() : payload_->resume();
    paused_ = operation == "pause";
    return done();
  }
  if (operation == "update") {
    payload_->update(oci::resources_from_json(body));
    return done();
  }
  if (operation == "pids") {
    JsonArray list;
    for (pid_t pid : payload_->pids()) list.push_back(pid);
    return list;
  }
  if (operation == "stats") return payload_->stats();
  throw Error(ErrorKind::InvalidArgument, cat("unknown request to a shim: ", operation));
}

ProcessIo& Shim::io_of(const std::string& exec_id) {
  if (exec_id.empty()) return *io_;
  for (auto& [pid, exec] : execs_) {
    if (exec.id == exec_id) return *exec.io;
  }
  throw Error(ErrorKind::NotFound, cat("No such exec instance: ", exec_id));
}

Json Shim::attach(const Json& body, std::vector<os::Fd>& fds) {
  if (fds.size() != 1) throw Error(ErrorKind::InvalidArgument, "attach wants one socket");
  io_of(json::string_at(body, "exec_id")).attach(attach_stream_from_json(body), std::move(fds.front()));
  return done();
}

Json Shim::exec(const Json& body, std::vector<os::Fd>& fds) {
  auto request = exec_request_from_json(body);
  if (paused_)
    throw Error(ErrorKind::Conflict, cat("Container ", id_, " is paused, unpause the container before exec"));
  if (!request.process.oom_score_adj) request.process.oom_score_adj = oom_score_adj_;
  Exec exec;
  exec.id = request.exec_id;
  {
    trace::Span span("shim.stdio");
    exec.io = std::make_unique<ProcessIo>(
        loop_, nullptr,
        ProcessIo::Options{.terminal = request.process.terminal,
                           .open_stdin = request.open_stdin,
                           .stdin_once = true,
                           .spill_directory = spill_directory_,
                           .on_detach = [this, id = exec.id](const std::string& client) {
                             notify({.kind = NoticeKind::Detached, .exit = {}, .exec_id = id, .client_id = client});
                           }});
    if (request.attach) {
      if (fds.empty()) throw Error(ErrorKind::InvalidArgument, "exec wants the client's socket");
      exec.io->attach(std::move(*request.attach), std::move(fds.front()));
    }
  }
  auto process = payload_->exec(request, exec.io->child_ends());
  exec.io->started(std::move(process.console));
  exec.pidfd = std::move(process.pidfd);
  exec.started_at = now();
  execs_[process.pid] = std::move(exec);
  return JsonObject{{"pid", process.pid}};
}

Json Shim::signal(const Json& body) {
  auto number = static_cast<int>(json::int_at(body, "signal"));
  if (json::bool_at(body, "everybody")) {
    payload_->kill_all();
    if (paused_) payload_->resume();  // SIGKILL waits for the thaw, too
    paused_ = false;
    return done();
  }
  std::string exec_id = json::string_at(body, "exec_id");
  int pidfd = init_pidfd_.get();
  if (!exec_id.empty()) {
    auto found = std::ranges::find_if(execs_, [&](const auto& item) { return item.second.id == exec_id; });
    if (found == execs_.end()) throw Error(ErrorKind::NotFound, cat("No such exec instance: ", exec_id));
    pidfd = found->second.pidfd.get();
  }
  if (!os::try_signal_pidfd(pidfd, number)) throw Error(ErrorKind::Conflict, cat("container ", id_, " is not running"));
  if (paused_ && number == SIGKILL) {  // it would wait for the thaw
    payload_->resume();
    paused_ = false;
  }
  return done();
}

Json Shim::subscribe(Connection& connection) {
  connection.subscribed = true;
  Json result = to_json(state());
  JsonArray missed;
  for (const auto& notice : untold_) missed.push_back(to_json(notice));
  untold_.clear();
  result.as_object()["missed"] = std::move(missed);
  return result;
}

State Shim::state() const {
  State state;
  state.id = id_;
  state.pid = started_.pid;
  state.start_time_ticks = started_.start_time_ticks;
  state.shim_pid = started_.shim_pid;
  state.started_at = started_.started_at;
  state.cgroup = started_.cgroup;
  state.paused = paused_;
  for (const auto& [pid, exec] : execs_) state.execs.push_back(exec.id);
  state.clients = io_->clients();
  state.exited = exited_;
  return state;
}

}  // namespace proa::shim
