#include "engine/monitor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <ctime>
#include <map>
#include <set>
#include <thread>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/sync.h"
#include "base/text.h"
#include "engine/run_dir_watch.h"
#include "os/file.h"
#include "os/socket.h"
#include "shim/client.h"

namespace proa::engine {
namespace {

constexpr std::uint64_t kWakeToken = 0, kRunDirsToken = UINT64_MAX;

void sleep_ms(int milliseconds) {
  timespec pause{milliseconds / 1000, milliseconds % 1000 * 1'000'000L};
  ::nanosleep(&pause, nullptr);
}

}  // namespace

struct Monitor::Inside {
  struct Watched {
    std::shared_ptr<const os::Fd> socket;  // shared with who reads it: its number may not be another file meanwhile
    bool exit_told = false;
  };
  struct Shared {
    std::map<std::string, Watched> watched;
    std::map<std::uint64_t, std::string> names;  // epoll's token -> container
    std::map<std::string, std::uint64_t> tokens;
    std::uint64_t next_token = 1;
    std::uint64_t asked = 0, answered = 0;  // catch_up
    std::set<std::string> leaving;          // acknowledged, their directories to be removed
    bool stopping = false;
  };

  std::string root;
  Callbacks callbacks;
  RunDirWatch run_dirs;
  os::Fd epoll, wake;
  Sync<Shared> shared;
  std::condition_variable caught_up;
  std::thread thread;
  // Its own thread, for directories that may go only when the shim has: the monitor itself never waits.
  std::condition_variable reaper_work;
  std::thread reaper;

  Inside(std::string run_root, Callbacks told)
      : root(std::move(run_root)), callbacks(std::move(told)), run_dirs(root) {}
  std::string dir(const std::string& id) const { return os::path_join(root, id); }
  void poke() {
    std::uint64_t one = 1;
    [[maybe_unused]] ssize_t written = ::write(wake.get(), &one, sizeof one);
  }
  void watch(const std::string& id, os::Fd socket);
  void run();
  void serve(std::uint64_t token);
  void restore_run_dirs();
  bool restore(const RunDirWatch::Gone& gone);
  void tell(const std::string& id, const shim::Notice& notice);
  void lost(const std::string& id);
  void tell_exit(const std::string& id, const shim::ExitRecord& record);
  void forget(const std::string& id);
  void reap();
  bool cleaning(const std::string& id) const;
};

void Monitor::Inside::watch(const std::string& id, os::Fd socket) {
  auto locked = shared.lock();
  std::uint64_t token = locked->next_token++;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = token;
  int fd = socket.get();
  if (auto old = locked->tokens.find(id); old != locked->tokens.end()) locked->names.erase(old->second);
  locked->names[token] = id;
  locked->tokens[id] = token;
  locked->watched[id] = Watched{std::make_shared<os::Fd>(std::move(socket)), false};
  os::check(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

void Monitor::Inside::forget(const std::string& id) {
  auto locked = shared.lock();
  if (auto token = locked->tokens.find(id); token != locked->tokens.end()) {
    locked->names.erase(token->second);
    locked->tokens.erase(token);
  }
  locked->watched.erase(id);  // its descriptor's end takes it out of epoll
}

void Monitor::Inside::run() {
  for (;;) {
    std::uint64_t asked;
    {
      auto locked = shared.lock();
      if (locked->stopping) return;
      asked = locked->asked;
    }
    epoll_event events[64];
    // Whatever was sent before `asked` was read is ready now; a full batch means there may be more.
    bool pending = asked != shared.lock()->answered;
    int count = ::epoll_wait(epoll.get(), events, 64, pending ? 0 : -1);
    if (count < 0 && errno != EINTR) os::fail("epoll_wait");
    bool served = false;
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kRunDirsToken) {
        restore_run_dirs();
      } else if (events[i].data.u64 == kWakeToken) {
        std::uint64_t drained;
        [[maybe_unused]] ssize_t got = ::read(wake.get(), &drained, sizeof drained);
      } else {
        serve(events[i].data.u64);
        served = true;
      }
    }
    if (pending && !served) {
      shared.lock()->answered = asked;
      caught_up.notify_all();
    }
  }
}

void Monitor::Inside::serve(std::uint64_t token) {
  std::string id;
  std::shared_ptr<const os::Fd> socket;
  {
    auto locked = shared.lock();
    auto name = locked->names.find(token);
    if (name == locked->names.end()) return;
    id = name->second;
    socket = locked->watched[id].socket;
  }
  std::optional<shim::Packet> packet;
  try {
    packet = shim::receive_packet(socket->get(), MSG_DONTWAIT);
  } catch (const Error& error) {
    if (error.errno_code() == EAGAIN) return;
  }
  // Acknowledged meanwhile: what the old shim still says is no news of a container that may have been started again.
  if (!shared.lock()->names.contains(token)) return;
  if (!packet) return lost(id);
  if (!json::find(packet->body, "notice")) return;  // the answer to `shutdown`
  try {
    tell(id, shim::notice_from_json(packet->body));
  } catch (const Error&) {  // a newer shim's word for something we do not know
  }
}

// Shims that live, and whom nobody could find any more, are told to come back; their answer is no notice.
void Monitor::Inside::restore_run_dirs() {
  try {
    if (restore(run_dirs.take()) && callbacks.on_run_dirs_lost) callbacks.on_run_dirs_lost();
  } catch (const Error& error) {
    log::error("run directories that were taken away could not be made anew", {{"error", error.message()}});
  }
}

// Was there any?
bool Monitor::Inside::restore(const RunDirWatch::Gone& gone) {
  bool lost = false;
  auto locked = shared.lock();
  for (const auto& [id, watched] : locked->watched) {
    if (!gone.all && !gone.names.contains(id)) continue;
    if (watched.exit_told || os::exists(os::path_join(dir(id), "control.sock"))) continue;
    log::warn("the run directory of a container was taken away; its shim makes it anew", {{"container", id}});
    static constexpr std::string_view kListen = R"({"op":"listen","body":null})";
    ::send(watched.socket->get(), kListen.data(), kListen.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    lost = true;
  }
  return lost;
}

void Monitor::Inside::tell(const std::string& id, const shim::Notice& notice) {
  switch (notice.kind) {
    case shim::NoticeKind::Exited:
      if (notice.exit.exec_id.empty()) {
        tell_exit(id, notice.exit);
      } else if (callbacks.on_exec_exit) {
        callbacks.on_exec_exit(id, notice.exit);
      }
      break;
    case shim::NoticeKind::Detached:
      if (callbacks.on_detach) callbacks.on_detach(id, notice.exec_id, notice.client_id);
      break;
    case shim::NoticeKind::OutOfMemory:
      if (callbacks.on_oom) callbacks.on_oom(id);
      break;
  }
}

void Monitor::Inside::tell_exit(const std::string& id, const shim::ExitRecord& record) {
  {
    auto locked = shared.lock();
    auto found = locked->watched.find(id);
    if (found == locked->watched.end() || found->second.exit_told) return;
    found->second.exit_told = true;
  }
  FAILPOINT("monitor.before_exit");
  if (callbacks.on_exit) callbacks.on_exit(id, record);
}

// The connection ended. Either we were too slow for the shim, or it has died.
void Monitor::Inside::lost(const std::string& id) {
  bool told = false;
  {
    auto locked = shared.lock();
    if (auto found = locked->watched.find(id); found != locked->watched.end()) told = found->second.exit_told;
  }
  if (told) return forget(id);
  if (auto record = shim::read_exit_record(dir(id))) {
    tell_exit(id, *record);
    return forget(id);
  }
  try {
    auto again = shim::Client(dir(id)).subscribe();
    watch(id, std::move(again.socket));
    for (const auto& notice : again.missed) tell(id, notice);
    if (again.state.exited) tell_exit(id, *again.state.exited);
    return;
  } catch (const Error&) {  // nobody listens: it is dead
  }
  shim::kill_leftovers(dir(id));
  shim::remove_leftover_cgroup(dir(id));
  shim::ExitRecord record = shim::read_exit_record(dir(id)).value_or(shim::ExitRecord{});
  if (record.finished_at == kZeroTime) {
    record.exit_code = 137;
    record.signal = SIGKILL;
    record.reason = "shim died";
    record.finished_at = now();
  }
  tell_exit(id, record);
  forget(id);
}

// True while the shim may still touch what a new start of its container needs: it stops listening when it has cleaned
// up.
bool Monitor::Inside::cleaning(const std::string& id) const {
  try {
    os::connect_unix(os::path_join(dir(id), "control.sock"), SOCK_SEQPACKET);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Takes the directories of acknowledged shims away as soon as these have cleaned up (a launch of the same container
// waits for that), and collects the shims that are our children. (After a restart they are not.)
void Monitor::Inside::reap() {
  std::set<pid_t> shims;
  int pause = 1;
  for (;;) {
    std::set<std::string> leaving;
    {
      auto locked = shared.lock();
      auto ready = [&] { return locked->stopping || !locked->leaving.empty(); };
      if (!shims.empty()) {
        if (!locked.wait_for(reaper_work, std::chrono::milliseconds(50), ready) && locked->stopping) return;
      } else {
        locked.wait(reaper_work, ready);
      }
      if (locked->stopping) return;
      leaving = locked->leaving;
    }
    bool waiting = false;
    for (const auto& id : leaving) {
      if (cleaning(id)) {
        waiting = true;
        continue;
      }
      // Its socket goes when it has cleaned up: this one was killed before it came to that.
      if (os::exists(os::path_join(dir(id), "control.sock"))) {
        shim::kill_leftovers(dir(id));
        shim::remove_leftover_cgroup(dir(id));
      }
      std::string gone = os::path_join(root, cat(".gone-", id));
      try {
        os::remove_tree(gone);
        // One step for who waits for the name.
        if (os::exists(dir(id))) os::rename_path(dir(id), gone);
        auto text = os::try_read_file(os::path_join(gone, "shim.pid"), 64);
        if (auto pid = text ? parse_int<pid_t>(trim(*text)) : std::nullopt) shims.insert(*pid);
        os::remove_tree(gone);
      } catch (const Error&) {  // the next daemon finds it
      }
      shared.lock()->leaving.erase(id);
    }
    std::erase_if(shims, [](pid_t pid) {
      siginfo_t info{};
      return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) < 0 || info.si_pid != 0;
    });
    pause = waiting ? std::min(pause * 2, 50) : 1;
    if (waiting) sleep_ms(pause);
  }
}

Monitor::Monitor(std::string run_root, Callbacks callbacks)
    : inside_(std::make_unique<Inside>(std::move(run_root), std::move(callbacks))) {
  auto& in = *inside_;
  in.epoll = os::Fd(os::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
  in.wake = os::Fd(os::check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeToken;
  os::check(::epoll_ctl(in.epoll.get(), EPOLL_CTL_ADD, in.wake.get(), &event), "epoll_ctl");
  event.data.u64 = kRunDirsToken;
  os::check(::epoll_ctl(in.epoll.get(), EPOLL_CTL_ADD, in.run_dirs.fd(), &event), "epoll_ctl");
  in.thread = std::thread([&in] { in.run(); });
  in.reaper = std::thread([&in] { in.reap(); });
}

Monitor::~Monitor() {
  inside_->shared.lock()->stopping = true;
  inside_->poke();
  inside_->reaper_work.notify_all();
  inside_->caught_up.notify_all();
  inside_->thread.join();
  inside_->reaper.join();
}

std::string Monitor::run_dir(const std::string& container_id) const { return inside_->dir(container_id); }

void Monitor::watch(const std::string& container_id, os::Fd socket) { inside_->watch(container_id, std::move(socket)); }

void Monitor::acknowledge(const std::string& container_id) {
  auto& in = *inside_;
  auto locked = in.shared.lock();
  if (auto found = locked->watched.find(container_id); found != locked->watched.end()) {
    // No wait for the answer; closing the connection says the same to the shim.
    static constexpr std::string_view kShutdown = R"({"op":"shutdown","body":null})";
    ::send(found->second.socket->get(), kShutdown.data(), kShutdown.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (auto token = locked->tokens.find(container_id); token != locked->tokens.end()) {
      locked->names.erase(token->second);
      locked->tokens.erase(token);
    }
    locked->watched.erase(found);
  }
  locked->leaving.insert(container_id);
  in.reaper_work.notify_all();
}

void Monitor::catch_up() {
  auto& in = *inside_;
  auto locked = in.shared.lock();
  std::uint64_t mine = ++locked->asked;
  in.poke();
  locked.wait_for(in.caught_up, std::chrono::seconds(2), [&] { return locked->answered >= mine || locked->stopping; });
}

std::vector<Monitor::Recovered> Monitor::recover() {
  auto& in = *inside_;
  std::vector<Recovered> out;
  if (!os::exists(in.root)) return out;
  for (const auto& id : os::list_dir(in.root)) {
    if (id.starts_with(".gone-")) {
      os::remove_tree(in.dir(id));
      continue;
    }
    Recovered one;
    one.container_id = id;
    for (int attempt = 0; attempt < 25; ++attempt) {
      try {
        auto again = shim::Client(in.dir(id)).subscribe();
        one.running = !again.state.exited;
        one.state = again.state;
        if (again.state.exited) one.exited = *again.state.exited;
        if (one.running) {
          in.watch(id, std::move(again.socket));
          for (const auto& notice : again.missed) in.tell(id, notice);
        }
        break;
      } catch (const Error&) {
        // Dead; or, for a moment only, one that the daemon's death caught between its spawn and its socket.
        one.running = false;
        if (auto record = shim::read_exit_record(in.dir(id))) {
          one.exited = *record;
          break;
        }
        one.exited.exit_code = 255;
        one.exited.reason = "exit record is missing: the shim died too";
        one.exited.finished_at = now();
        if (os::exists(os::path_join(in.dir(id), "shim.pid"))) break;
        sleep_ms(10);
      }
    }
    if (!one.running) {
      shim::kill_leftovers(in.dir(id));
      shim::remove_leftover_cgroup(in.dir(id));
    }
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace proa::engine
