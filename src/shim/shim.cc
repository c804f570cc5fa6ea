#include "shim/shim.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/failpoint.h"
#include "base/text.h"
#include "os/file.h"
#include "os/process.h"
#include "os/syscalls.h"
#include "shim/connection.h"

namespace proa::shim {
namespace {

constexpr std::int64_t kTrimDelay = 200 * kMillisecond;  // of silence, before memory is given back

// The network namespace under the number it has here. (The container's init is a clone of this process:
// /proc/self/fd/N is the same file there.)
void place_netns(oci::Spec& spec, const std::map<std::string, os::Fd>& fds) {
  auto netns = fds.find("netns");
  if (netns == fds.end()) return;
  auto& list = spec.linux.namespaces;
  std::erase_if(list, [](const auto& name) { return name.type == "network"; });
  list.push_back({"network", os::fd_path(netns->second.get())});
}

// The root, the filter, and what the spec's mounts name by "fd:NAME".
Payload::Given take_given(const oci::Spec& spec, std::map<std::string, os::Fd>& fds) {
  Payload::Given given;
  if (auto found = fds.find("rootfs"); found != fds.end()) given.rootfs = std::move(found->second);
  if (auto found = fds.find("seccomp"); found != fds.end()) given.filter = std::move(found->second);
  for (const auto& mount : spec.mounts) {
    if (!mount.source.starts_with("fd:")) continue;
    auto found = fds.find(mount.source.substr(3));
    if (found == fds.end())
      throw Error(ErrorKind::Internal, cat("mount of ", mount.source, ": no such descriptor came"));
    given.mounts.emplace(mount.source, std::move(found->second));
  }
  return given;
}

void become_keeper() {
  ::setsid();  // fails where the spawn has done it
  os::check(::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl(PR_SET_CHILD_SUBREAPER)");
  os::check(::chdir("/"), "chdir /");
  // Blocked, not ignored: the runtime clears the mask of its children, while "ignored" would outlive execve.
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGCHLD, SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGQUIT}) sigaddset(&set, signal);
  ::sigprocmask(SIG_SETMASK, &set, nullptr);
}

// The daemon keeps a shim ready for the next start: what comes before the orders is no container's time.
void await_orders(int socket) {
  pollfd item{socket, POLLIN, 0};
  while (::poll(&item, 1, -1) < 0 && errno == EINTR) {
  }
}

}  // namespace

Shim::Shim(os::Fd daemon, std::span<char> title) : daemon_(std::move(daemon)), title_(title) {}

Shim::~Shim() {
  ending_.clear();
  execs_.clear();
  io_.reset();
}

int Shim::run() {
  if (!start()) return 1;
  settle();
  while (!may_leave()) {
    int timeout = next_timeout();
    bool quiet = trim_at_ != 0 && monotonic_now() >= trim_at_;
    if (quiet) {
      trim_at_ = 0;
      timeout = next_timeout();
    }
    bool served = loop_.turn(timeout, quiet ? Loop::Wait::Small : Loop::Wait::Ready);
    if (served) trim_at_ = monotonic_now() + kTrimDelay;
    if (exited_ && !cleaned_) clean_up();
    std::erase_if(ending_, [](const auto& io) { return io->finished(); });
  }
  return 0;
}

bool Shim::start() {
  trace::Recorder recorder("shim");
  try {
    become_keeper();
    await_orders(daemon_.get());
    trace::Scope scope(recorder);
    std::optional<Packet> packet;
    {
      trace::Span span("shim.receive");
      packet = receive_packet(daemon_.get());
    }
    if (!packet) return false;  // the daemon died before it said anything
    create(create_request_from_json(packet->body), std::move(packet->fds));
  } catch (...) {
    Error error = to_error(std::current_exception());
    try {
      send_packet(daemon_.get(), reply(error, recorder.events()));
    } catch (const Error&) {  // nobody is there to hear it; the runtime has left nothing behind
    }
    return false;
  }
  try {
    send_packet(daemon_.get(), reply(to_json(started_), recorder.events()));
    connections_.push_back(std::make_unique<Connection>(*this, std::move(daemon_)));
    connections_.back()->subscribed = true;
  } catch (const Error&) {  // the daemon died meanwhile; the next one will find us
  }
  return true;
}

void Shim::create(CreateRequest request, std::vector<os::Fd> received) {
  if (received.size() != request.fds.size()) {
    throw Error(ErrorKind::Internal, cat("expected ", request.fds.size(), " descriptors, got ", received.size()));
  }
  std::map<std::string, os::Fd> fds;
  for (std::size_t i = 0; i < received.size(); ++i) fds[request.fds[i]] = std::move(received[i]);
  id_ = request.id;
  if (title_.size() == id_.size()) std::ranges::copy(id_, title_.begin());
  run_dir_ = request.run_dir;
  children_ = std::make_unique<Children>(*this);
  {
    trace::Span span("shim.stdio");
    span.set("terminal", request.terminal ? "true" : "false");
    span.set("log", request.log.driver);
    log_ = std::make_unique<LogFile>(request.log);
    spill_directory_ = request.log.path.empty() ? run_dir_ : std::string(os::dir_name(request.log.path));
    io_ = std::make_unique<ProcessIo>(
        loop_, log_.get(),
        ProcessIo::Options{.terminal = request.terminal,
                           .open_stdin = request.open_stdin,
                           .stdin_once = request.stdin_once,
                           .spill_directory = spill_directory_,
                           .on_detach = [this](const std::string& client) {
                             notify({.kind = NoticeKind::Detached, .exit = {}, .exec_id = "", .client_id = client});
                           }});
    for (std::size_t i = 0; i < request.attach.size(); ++i) {
      auto socket = fds.find(cat("attach:", i));
      if (socket == fds.end()) throw Error(ErrorKind::Internal, cat("the socket of client ", i, " did not come"));
      io_->attach(std::move(request.attach[i]), std::move(socket->second));
    }
  }
  started_ = launch(request, fds);
  trace::Span span("shim.listen");
  listener_ = std::make_unique<Listener>(*this, os::path_join(run_dir_, "control.sock"));
}

Started Shim::launch(CreateRequest& request, std::map<std::string, os::Fd>& fds) {
  auto& process = request.spec.process;
  process.terminal = request.terminal;
  if (request.terminal && request.console_height > 0 && request.console_width > 0) {
    process.console_size = oci::ConsoleSize{request.console_height, request.console_width};
  }
  // Ours is not for the container to inherit.
  if (!process.oom_score_adj) process.oom_score_adj = 0;
  oom_score_adj_ = process.oom_score_adj;
  place_netns(request.spec, fds);
  Payload::Given given = take_given(request.spec, fds);
  payload_ = request.runtime.empty() ? make_library_payload() : make_cli_payload(request.runtime, id_, run_dir_);
  FAILPOINT("shim.before_start");
  auto init = payload_->start(request, std::move(given), io_->child_ends());
  io_->started(std::move(init.console));
  init_pidfd_ = std::move(init.pidfd);
  Started started;
  started.pid = init.pid;
  started.start_time_ticks = os::start_time_ticks(init.pid).value_or(0);
  started.shim_pid = ::getpid();
  started.started_at = now();
  began_ = monotonic_now();
  started.cgroup = json::text(runtime::to_json(payload_->cgroup()));
  return started;
}

void Shim::publish_state() {
  os::replace_file(os::path_join(run_dir_, "state.json"), json::text(to_json(state())), 0600);
  os::write_file(os::path_join(run_dir_, "shim.pid"), cat(::getpid(), "\n"), 0600);
}

void Shim::listen_again() {
  std::string shims(os::dir_name(run_dir_)), control = os::path_join(run_dir_, "control.sock");
  if (os::exists(control)) return;
  os::make_dirs(os::dir_name(shims), 0711);
  os::make_dir(shims, 0700);
  os::make_dir(run_dir_, 0700);
  loop_.retire(std::move(listener_));
  listener_ = std::make_unique<Listener>(*this, control);
  publish_state();
}

void Shim::settle() {
  FAILPOINT("shim.after_start");
  try {
    publish_state();
  } catch (const Error&) {  // /run is full: the daemon has all of it from our reply
  }
  try {
    os::write_file("/proc/self/oom_score_adj", "-999");
  } catch (const Error&) {  // not ours to lower in a user namespace
  }
  try {
    oom_ = std::make_unique<OomWatch>(*this);
  } catch (const Error&) {  // no such controller: the exit record cannot say it either
  }
  trim_at_ = monotonic_now() + kTrimDelay;
}

void Shim::children_exited() {
  std::optional<ExitRecord> init;
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0) break;
    auto record = exit_record_from_wait(info.si_code, info.si_status);
    if (info.si_pid == started_.pid) {
      init = record;
    } else {
      exec_exited(info.si_pid, record);  // or an orphan of the container's, which nobody asks for
    }
  }
  if (init) init_exited(*init);
}

void Shim::exec_exited(pid_t pid, ExitRecord record) {
  auto found = execs_.find(pid);
  if (found == execs_.end()) return;
  Exec exec = std::move(found->second);
  execs_.erase(found);
  record.exec_id = exec.id;
  record.started_at = exec.started_at;
  exec.io->drain();
  // Before the client's stream ends: who sees the end may ask for the exit code.
  notify({.kind = NoticeKind::Exited, .exit = record, .exec_id = "", .client_id = ""});
  exec.io->finish();
  ending_.push_back(std::move(exec.io));
}

void Shim::check_oom(std::uint64_t& known) {
  try {
    auto kills = runtime::oom_kills(payload_->cgroup());
    if (kills > known) notify({.kind = NoticeKind::OutOfMemory, .exit = {}, .exec_id = "", .client_id = ""});
    known = kills;
  } catch (const Error&) {  // the group is gone
  }
}

void Shim::init_exited(ExitRecord record) {
  record.started_at = started_.started_at;
  record.ran = monotonic_now() - began_;
  if (oom_) {
    oom_->ready(0);  // told before the exit
    oom_.reset();
  }
  try {
    record.oom_killed = payload_->oom_killed();
  } catch (const Error&) {  // no such controller here
  }
  io_->drain();
  record.logged_bytes = log_->logged_bytes();
  record.dropped_log_bytes = log_->dropped_bytes();
  exited_ = record;
  FAILPOINT("shim.before_exit_record");
  try {
    write_exit_record(run_dir_, record);
  } catch (const Error&) {  // /run is full: who is connected learns it all the same
  }
  FAILPOINT("shim.after_exit_record");
  notify({.kind = NoticeKind::Exited, .exit = record, .exec_id = "", .client_id = ""});
  io_->finish();
}

// Off the path of the exit's report.
void Shim::clean_up() {
  cleaned_ = true;
  try {
    payload_->remove();
  } catch (const Error&) {  // the daemon removes what is left when it removes our directory
  }
  children_exited();  // what was killed just now
  // A new shim may take this container's place from here on: see engine/launcher and engine/monitor.
  listener_.reset();
  os::remove_file(os::path_join(run_dir_, "control.sock"));
}

bool Shim::may_leave() const {
  if (!exited_ || !cleaned_) return false;
  if (!acknowledged_ && !connections_.empty()) return false;
  return io_->finished() && ending_.empty();
}

int Shim::next_timeout() {
  if (exited_ && !cleaned_) return 0;
  std::int64_t at = monotonic_now();
  std::int64_t next = trim_at_;
  auto consider = [&](std::int64_t when) {
    if (when != 0 && (next == 0 || when < next)) next = when;
  };
  consider(io_->tick(at));
  for (auto& [pid, exec] : execs_) consider(exec.io->tick(at));
  for (auto& io : ending_) consider(io->tick(at));
  if (may_leave()) return 0;
  if (next == 0) return -1;
  return next <= at ? 0 : static_cast<int>((next - at) / kMillisecond) + 1;
}

int shim_main(int argc, char** argv) {
  // Whatever the spawn left open is not for the container.
  ::syscall(SYS_close_range, 4U, ~0U, 0U);
  os::set_cloexec(3, true);
  std::span<char> title;
  if (argc == 2) title = {argv[1], std::string_view(argv[1]).size()};
  return Shim(os::Fd(3), title).run();
}

}  // namespace proa::shim
