#include "shim/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "base/text.h"
#include "os/file.h"
#include "os/socket.h"
#include "runtime/cgroup.h"

namespace proa::shim {
namespace {

os::Fd connect(const std::string& run_dir) {
  return os::connect_unix(os::path_join(run_dir, "control.sock"), SOCK_SEQPACKET);
}

Json exchange(int socket, std::string_view operation, Json body, const std::vector<int>& fds, int timeout_seconds) {
  timeval deadline{timeout_seconds, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof deadline);
  try {
    send_packet(socket, JsonObject{{"op", operation}, {"body", std::move(body)}}, fds);
    auto packet = receive_packet(socket);
    if (!packet) throw Error(ErrorKind::Unavailable, cat("the shim died during ", operation));
    return unwrap_reply(packet->body);
  } catch (const Error& error) {
    if (error.errno_code() == EAGAIN)
      throw Error(ErrorKind::Deadline, cat("the shim did not answer ", operation), EAGAIN);
    if (error.errno_code() == EPIPE)
      throw Error(ErrorKind::Unavailable, cat("the shim died during ", operation), EPIPE);
    throw;
  }
}

std::string cgroup_note(const std::string& run_dir) { return os::path_join(run_dir, "cgroup"); }

runtime::CgroupHandle noted_cgroup(const std::string& run_dir) {
  auto text = os::try_read_file(os::path_join(run_dir, "state.json"), 1 << 20);
  if (!text) {  // it did not come so far
    auto path = os::try_read_file(cgroup_note(run_dir), 4096);
    return path ? runtime::CgroupHandle{os::find_cgroups(), *path} : runtime::CgroupHandle{};
  }
  try {
    return runtime::cgroup_from_json(json::parse(state_from_json(json::parse(*text)).cgroup));
  } catch (const Error&) {  // torn or not ours: nothing is known
    return {};
  }
}

}  // namespace

Json Client::call(std::string_view operation, Json body, const std::vector<int>& fds, int timeout_seconds) const {
  os::Fd socket = connect(run_dir_);
  return exchange(socket.get(), operation, std::move(body), fds, timeout_seconds);
}

State Client::state() const { return state_from_json(call("state", nullptr)); }

void Client::attach(const AttachStream& stream, int socket, const std::string& exec_id) const {
  Json body = to_json(stream);
  body.as_object()["exec_id"] = exec_id;
  call("attach", std::move(body), {socket});
}

pid_t Client::exec(const ExecRequest& request, std::optional<int> socket) const {
  std::vector<int> fds;
  if (socket) fds.push_back(*socket);
  return static_cast<pid_t>(json::int_at(call("exec", to_json(request), fds, 70), "pid"));
}

void Client::resize(std::uint16_t height, std::uint16_t width, const std::string& exec_id) const {
  call("resize", JsonObject{{"exec_id", exec_id}, {"height", height}, {"width", width}});
}

void Client::signal(int number, const std::string& exec_id, bool everybody) const {
  call("signal", JsonObject{{"exec_id", exec_id}, {"signal", number}, {"everybody", everybody}});
}

void Client::pause() const { call("pause", nullptr, {}, 70); }
void Client::resume() const { call("resume", nullptr, {}, 70); }
void Client::update(const oci::Resources& resources) const { call("update", oci::to_json(resources), {}, 70); }

std::vector<pid_t> Client::pids() const {
  std::vector<pid_t> out;
  Json list = call("pids", nullptr);
  if (!list.is_array()) return out;
  for (const Json& pid : list.get_array()) {
    if (pid.is_int64()) out.push_back(static_cast<pid_t>(pid.get_int64()));
  }
  return out;
}

Json Client::stats() const { return call("stats", nullptr); }
void Client::close_stdin(const std::string& exec_id) const { call("close_stdin", JsonObject{{"exec_id", exec_id}}); }
void Client::shutdown() const { call("shutdown", nullptr); }

Client::Subscription Client::subscribe() const {
  Subscription out;
  out.socket = connect(run_dir_);
  Json result = exchange(out.socket.get(), "subscribe", nullptr, {}, 5);
  out.state = state_from_json(result);
  if (const Json* missed = json::find(result, "missed"); missed && missed->is_array()) {
    for (const Json& notice : missed->get_array()) out.missed.push_back(notice_from_json(notice));
  }
  timeval none{};
  ::setsockopt(out.socket.get(), SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  return out;
}

void note_cgroup(const std::string& run_dir, const std::string& path) {
  if (path.starts_with('/')) os::write_file(cgroup_note(run_dir), path, 0600);
}

int kill_leftovers(const std::string& run_dir) {
  auto cgroup = noted_cgroup(run_dir);
  if (cgroup.path.size() <= 1) return 0;
  auto found = runtime::pids(cgroup);
  for (int i = 0; i < 200; ++i) {
    if (runtime::pids(cgroup).empty()) break;
    runtime::kill_all(cgroup, SIGKILL);
    timespec pause{0, 5'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return static_cast<int>(found.size());
}

void remove_leftover_cgroup(const std::string& run_dir) {
  auto cgroup = noted_cgroup(run_dir);
  if (cgroup.path.size() > 1) runtime::destroy_cgroup(cgroup);
}

}  // namespace proa::shim
