#include "runtime/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>

#include "base/text.h"
#include "base/time.h"
#include "os/process.h"
#include "os/syscalls.h"
#include "runtime/supervisor.h"

namespace proa::runtime {

void reset_signals() {
  struct sigaction to_default {};
  to_default.sa_handler = SIG_DFL;
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (signal != SIGKILL && signal != SIGSTOP) ::sigaction(signal, &to_default, nullptr);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void tie_to_parent(int socket) {
  os::check(::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "PR_SET_PDEATHSIG");
  pollfd peer{socket, 0, 0};
  if (::poll(&peer, 1, 0) > 0 && (peer.revents & POLLHUP)) ::_exit(1);
}

void arrange_stdio(const Stdio& stdio) {
  int sources[3] = {stdio.in, stdio.out, stdio.err};
  for (int target = 0; target < 3; ++target) {
    int& source = sources[target];
    if (source < 0 || source >= 3 || source == target) continue;
    source = os::check(::fcntl(source, F_DUPFD_CLOEXEC, 3), "dup of a standard stream");
  }
  for (int target = 0; target < 3; ++target) {
    if (sources[target] < 0) continue;
    if (sources[target] == target) {
      os::set_cloexec(target, false);
    } else {
      os::check(::dup2(sources[target], target), "standard stream");
    }
  }
}

void close_others(const std::vector<int>& keep) {
  os::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  for (int fd : keep) os::set_cloexec(fd, false);
}

void close_all_but(std::vector<int> keep) {
  std::sort(keep.begin(), keep.end());
  unsigned next = 3;
  for (int fd : keep) {
    auto kept = static_cast<unsigned>(fd);
    if (fd < 0 || kept < next) continue;
    if (kept > next) os::close_range(next, kept - 1, 0);
    next = kept + 1;
  }
  os::close_range(next, ~0U, 0);
}

void new_session_keyring(const std::string& name) {
  if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.c_str()) >= 0) return;
  if (errno != ENOSYS && errno != EPERM && errno != EDQUOT) os::fail("new session keyring");
}

void report_and_exit(int socket) noexcept {
  try {
    Error error = to_error(std::current_exception());
    send_note(socket, Tag::Failed, error_to_line(error));
  } catch (...) {
    // Nobody listens any more.
  }
  ::_exit(1);
}

void hand_over_listener(int listener, int socket) {
  if (listener < 0) return;
  send_note(socket, Tag::Listener, cat(listener));
  char taken;
  if (os::check(::read(socket, &taken, 1), "seccomp listener") != 1) ::_exit(1);  // nobody supervises us
}

void wait_for_exec(int socket, std::int64_t since, const std::vector<std::string>& args,
                   const std::optional<Supervisor>& supervisor) {
  if (supervisor) {
    auto note = expect_note(socket, Tag::Listener, "the process");
    tell_supervisor(*supervisor, parse_int<int>(note.body).value_or(-1));
    send_note(socket, Tag::ListenerTaken);
  }
  if (auto note = receive_note(socket, Tag::Failed)) {
    throw Error(ErrorKind::Internal, "a container's init sent more than it should");
  }
  trace::record("runtime.exec", since, {{"args", join(args, " ")}});
}

void discard_child(const os::Fd& pidfd) {
  if (!pidfd) return;
  os::try_signal_pidfd(pidfd.get(), SIGKILL);
  os::wait_exit(pidfd.get(), 10'000);
}

}  // namespace proa::runtime
