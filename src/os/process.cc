#include "os/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "base/text.h"
#include "base/time.h"
#include "os/file.h"
#include "os/syscalls.h"

extern char** environ;

namespace proa::os {
namespace {

// What the child needs, made ready before it exists: it shares our memory and may only make system calls.
struct ChildPlan {
  const char* path;
  char* const* argv;
  char* const* envp;
  const char* cwd;  // nullptr: stay
  FdMapping* fds;
  std::size_t fd_count;
  int spare_from;  // no target is at or above this number
  NewGroup group;
  int parent_death_signal;
  pid_t parent;
  sigset_t signal_mask;
  // Written by the child, read by us after it has executed or ended.
  int failed_errno = 0;
  const char* failed_step = nullptr;
};

int arrange_fds(ChildPlan& plan) {
  if (::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0) return -1;
  // A source that is also a target would be overwritten before it is read: moved out of the way first.
  for (std::size_t i = 0; i < plan.fd_count; ++i) {
    if (plan.fds[i].from == plan.fds[i].to) continue;
    plan.fds[i].from = ::fcntl(plan.fds[i].from, F_DUPFD_CLOEXEC, plan.spare_from);
    if (plan.fds[i].from < 0) return -1;
  }
  for (std::size_t i = 0; i < plan.fd_count; ++i) {
    const auto& map = plan.fds[i];
    int result = map.from == map.to ? ::fcntl(map.to, F_SETFD, 0) : ::dup2(map.from, map.to);
    if (result < 0) return -1;
  }
  return 0;
}

int child_main(void* argument) {
  auto& plan = *static_cast<ChildPlan*>(argument);
  auto give_up = [&](const char* step) {
    plan.failed_errno = errno;
    plan.failed_step = step;
    ::_exit(127);
  };
  struct sigaction to_default {};
  to_default.sa_handler = SIG_DFL;
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (signal != SIGKILL && signal != SIGSTOP) ::sigaction(signal, &to_default, nullptr);
  }
  if (plan.parent_death_signal != 0) {
    ::prctl(PR_SET_PDEATHSIG, plan.parent_death_signal);
    if (::getppid() != plan.parent) ::_exit(127);
  }
  if (plan.group == NewGroup::Session && ::setsid() < 0) give_up("setsid");
  if (plan.group == NewGroup::ProcessGroup && ::setpgid(0, 0) < 0) give_up("setpgid");
  if (plan.cwd && ::chdir(plan.cwd) < 0) give_up("chdir");
  if (arrange_fds(plan) < 0) give_up("file descriptors");
  ::pthread_sigmask(SIG_SETMASK, &plan.signal_mask, nullptr);
  ::execve(plan.path, plan.argv, plan.envp);
  give_up("exec");
  return 127;
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const auto& text : strings) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

std::string search_path(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = ::getenv("PATH");
  for (const auto& dir : split(path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ':')) {
    std::string candidate = path_join(dir.empty() ? "." : dir, name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  throw Error(ErrorKind::NotFound, cat("exec: ", quoted(name), ": executable file not found in $PATH"), ENOENT);
}

ExitStatus status_of(const siginfo_t& info) {
  ExitStatus status;
  if (info.si_code == CLD_EXITED) {
    status.code = info.si_status;
  } else {
    status.signal = info.si_status;
    status.code = 128 + info.si_status;
    status.core_dumped = info.si_code == CLD_DUMPED;
  }
  return status;
}

}  // namespace

Spawned spawn(const SpawnOptions& options) {
  if (options.argv.empty()) throw Error(ErrorKind::InvalidArgument, "spawn: no command");
  std::string path = options.path.empty() ? search_path(options.argv[0]) : options.path;
  auto argv = pointers(options.argv);
  std::vector<char*> envp;
  if (options.env) envp = pointers(*options.env);
  auto fds = options.fds;

  ChildPlan plan{};
  plan.path = path.c_str();
  plan.argv = argv.data();
  plan.envp = options.env ? envp.data() : environ;
  plan.cwd = options.cwd.empty() ? nullptr : options.cwd.c_str();
  plan.fds = fds.data();
  plan.fd_count = fds.size();
  plan.spare_from = 3;
  for (const auto& map : fds) plan.spare_from = std::max(plan.spare_from, map.to + 1);
  plan.group = options.group;
  plan.parent_death_signal = options.parent_death_signal;
  plan.parent = ::getpid();
  ::sigemptyset(&plan.signal_mask);

  // No handler of ours may run in the child while it shares our memory.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  constexpr std::size_t kStack = 64 << 10;
  auto stack = std::make_unique_for_overwrite<std::byte[]>(kStack);
  auto top = reinterpret_cast<std::uintptr_t>(stack.get() + kStack) & ~std::uintptr_t{15};
  int pidfd = -1;
  int pid = ::clone(child_main, reinterpret_cast<void*>(top), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan,
                    &pidfd, nullptr, nullptr);
  int clone_errno = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) fail(cat("clone for ", path), clone_errno);

  Spawned spawned{pid, Fd(pidfd)};
  if (plan.failed_step) {
    siginfo_t info{};
    while (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED) < 0 && errno == EINTR) {
    }
    fail(cat(plan.failed_step, " ", std::string_view(plan.failed_step) == "chdir" ? options.cwd : path),
         plan.failed_errno);
  }
  return spawned;
}

std::optional<ExitStatus> wait_exit(int pidfd, int timeout_ms) {
  auto deadline = monotonic_now() + std::int64_t{timeout_ms} * kMillisecond;
  for (;;) {
    siginfo_t info{};
    if (timeout_ms >= 0) {
      pollfd ready{pidfd, POLLIN, 0};
      auto left = std::max<std::int64_t>(0, (deadline - monotonic_now() + kMillisecond - 1) / kMillisecond);
      int count = ::poll(&ready, 1, static_cast<int>(left));
      if (count < 0 && errno != EINTR) fail("poll of a pidfd");
      if (count <= 0) {
        if (monotonic_now() >= deadline) return std::nullopt;
        continue;
      }
    }
    if (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED) == 0) return status_of(info);
    if (errno != EINTR) fail("waitid");
  }
}

namespace {

// Feeds and drains the pipes of a program until both outputs have ended or it has exited.
class Conversation {
 public:
  Conversation(const RunOptions& options, RunResult& result) : options_(options), result_(result) {}

  SpawnOptions connect() {
    std::tie(in_read_, in_) = make_pipe();
    std::tie(out_, out_write_) = make_pipe();
    std::tie(err_, err_write_) = make_pipe();
    for (int fd : {in_.get(), out_.get(), err_.get()}) set_nonblocking(fd, true);
    SpawnOptions spawn = options_.spawn;
    spawn.fds.push_back({in_read_.get(), 0});
    spawn.fds.push_back({out_write_.get(), 1});
    spawn.fds.push_back({err_write_.get(), 2});
    return spawn;
  }

  void talk(const Spawned& child) {
    in_read_.reset();
    out_write_.reset();
    err_write_.reset();
    auto deadline = monotonic_now() + options_.timeout_ms * kMillisecond;
    std::string_view input = options_.input;
    if (input.empty()) in_.reset();
    bool exited = false;
    while (!exited && (out_ || err_)) {
      std::array<pollfd, 4> set{
          {{child.pidfd.get(), POLLIN, 0}, {out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}, {in_.get(), POLLOUT, 0}}};
      int wait = -1;
      if (options_.timeout_ms >= 0) {
        wait = static_cast<int>(std::max<std::int64_t>(0, (deadline - monotonic_now()) / kMillisecond + 1));
        if (monotonic_now() >= deadline) return;
      }
      if (::poll(set.data(), set.size(), wait) < 0 && errno != EINTR) fail("poll of a program's output");
      if (in_ && set[3].revents) feed(input);
      // Once it is gone, what it wrote is in the pipes; a grandchild that keeps them open is not waited for.
      exited = set[0].revents != 0;
      if (out_ && (set[1].revents || exited)) drain(out_, result_.out);
      if (err_ && (set[2].revents || exited)) drain(err_, result_.err);
    }
  }

 private:
  void feed(std::string_view& input) {
    sigset_t pipe_signal, before;
    ::sigemptyset(&pipe_signal);
    ::sigaddset(&pipe_signal, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    auto sent = ::write(in_.get(), input.data(), input.size());
    int saved = errno;
    if (sent < 0 && saved == EPIPE && !::sigismember(&before, SIGPIPE)) {
      timespec at_once{};
      ::sigtimedwait(&pipe_signal, nullptr, &at_once);
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (sent < 0 && saved != EAGAIN && saved != EINTR) sent = static_cast<ssize_t>(input.size());  // it reads no more
    if (sent > 0) input.remove_prefix(static_cast<std::size_t>(sent));
    if (input.empty()) in_.reset();
  }

  void drain(Fd& fd, std::string& into) {
    char buffer[16384];
    for (;;) {
      auto count = ::read(fd.get(), buffer, sizeof buffer);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return;
      if (count <= 0) return fd.reset();
      auto room = std::min(static_cast<std::size_t>(count), options_.output_limit - into.size());
      into.append(buffer, room);
      if (room < static_cast<std::size_t>(count)) result_.truncated = true;
    }
  }

  const RunOptions& options_;
  RunResult& result_;
  Fd in_read_, in_, out_, out_write_, err_, err_write_;
};

}  // namespace

RunResult run_program(const RunOptions& options) {
  RunResult result;
  Conversation conversation(options, result);
  auto started = monotonic_now();
  Spawned child = spawn(conversation.connect());
  conversation.talk(child);
  int left = -1;
  if (options.timeout_ms >= 0) {
    left = static_cast<int>(std::max<std::int64_t>(0, options.timeout_ms - (monotonic_now() - started) / kMillisecond));
  }
  if (auto exit = wait_exit(child.pidfd.get(), left)) {
    result.exit = *exit;
    return result;
  }
  try_signal_pidfd(child.pidfd.get(), SIGKILL);
  wait_exit(child.pidfd.get());
  throw Error(ErrorKind::Deadline, cat(options.spawn.argv[0], " did not end within ", options.timeout_ms, " ms"));
}

std::optional<Fd> try_open_pidfd(pid_t pid) {
  int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd >= 0) return Fd(fd);
  if (errno == ESRCH || errno == EINVAL) return std::nullopt;
  fail(cat("pidfd_open ", pid));
}

bool try_signal_pidfd(int pidfd, int signal) {
  if (::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0) return true;
  if (errno == ESRCH) return false;
  fail(cat("pidfd_send_signal ", signal));
}

namespace {
// Of /proc/PID/stat, counted from 1 as in proc(5); one behind the name.
std::optional<std::uint64_t> stat_field(pid_t pid, std::size_t number) {
  auto text = try_read_file(cat("/proc/", pid, "/stat"), 4096);
  if (!text) return std::nullopt;
  auto after = text->rfind(')');  // the name may hold blanks and brackets
  if (after == std::string::npos) return std::nullopt;
  auto fields = split(std::string_view(*text).substr(after + 2), ' ');
  if (fields.size() < number - 2) return std::nullopt;
  return parse_int<std::uint64_t>(fields[number - 3]);
}
}  // namespace

std::optional<std::uint64_t> start_time_ticks(pid_t pid) { return stat_field(pid, 22); }

std::optional<pid_t> parent_of(pid_t pid) {
  auto parent = stat_field(pid, 4);
  return parent ? std::optional(static_cast<pid_t>(*parent)) : std::nullopt;
}

std::optional<int> parse_signal(std::string_view text) {
  if (auto number = parse_int<int>(text)) {
    return *number >= 1 && *number <= 64 ? number : std::nullopt;
  }
  std::string name = to_upper(text);
  if (name.starts_with("SIG")) name.erase(0, 3);
  if (name.starts_with("RTMIN") || name.starts_with("RTMAX")) {
    bool from_min = name.starts_with("RTMIN");
    std::string_view offset = std::string_view(name).substr(5);
    if (offset.empty()) return from_min ? 34 : 64;
    if (offset[0] != (from_min ? '+' : '-')) return std::nullopt;
    auto count = parse_int<int>(offset.substr(1));
    if (!count || *count < 0 || *count > 30) return std::nullopt;
    return from_min ? 34 + *count : 64 - *count;
  }
  if (name == "IOT") return SIGABRT;
  if (name == "CLD") return SIGCHLD;
  if (name == "POLL") return SIGIO;
  for (int signal = 1; signal < 32; ++signal) {
    if (const char* known = ::sigabbrev_np(signal); known && name == known) return signal;
  }
  return std::nullopt;
}

std::string signal_name(int signal) {
  if (const char* known = signal > 0 && signal < 32 ? ::sigabbrev_np(signal) : nullptr) return cat("SIG", known);
  if (signal == 34) return "SIGRTMIN";
  if (signal == 64) return "SIGRTMAX";
  if (signal > 34 && signal <= 49) return cat("SIGRTMIN+", signal - 34);
  if (signal > 49 && signal < 64) return cat("SIGRTMAX-", 64 - signal);
  return "";
}

}  // namespace proa::os
