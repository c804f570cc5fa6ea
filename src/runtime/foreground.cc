#include "runtime/foreground.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "os/file.h"
#include "os/process.h"
#include "os/socket.h"
#include "os/tty.h"

namespace proa::runtime {
namespace {

// False at the end of `from`.
bool relay(int from, int to) {
  char buffer[32768];
  auto count = ::read(from, buffer, sizeof buffer);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (count <= 0) return false;  // EIO: the last slave is closed
  os::write_all(to, {buffer, static_cast<std::size_t>(count)});
  return true;
}

void copy_size(int master) {
  if (auto size = os::tty_size(STDIN_FILENO)) os::set_tty_size(master, *size);
}

}  // namespace

Foreground::Foreground() {
  sigset_t all;
  ::sigfillset(&all);
  for (int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPIPE, SIGCHLD, SIGURG}) ::sigdelset(&all, own);
  ::sigprocmask(SIG_BLOCK, &all, &before_);
  signals_ = os::Fd(os::check(::signalfd(-1, &all, SFD_CLOEXEC), "signalfd"));
}

Foreground::~Foreground() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

int Foreground::wait(int pidfd, os::Fd console, NotifyProxy* notify) {
  std::optional<os::RawTty> raw;
  if (console) {
    copy_size(console.get());
    if (os::is_tty(STDIN_FILENO)) raw.emplace(STDIN_FILENO);
  }
  bool input = static_cast<bool>(console);
  for (;;) {
    pollfd set[5] = {{pidfd, POLLIN, 0},
                     {signals_.get(), POLLIN, 0},
                     {console.get(), POLLIN, 0},
                     {input ? STDIN_FILENO : -1, POLLIN, 0},
                     {notify ? notify->socket() : -1, POLLIN, 0}};
    if (::poll(set, 5, -1) < 0 && errno != EINTR) os::fail("poll");
    if (set[1].revents) {
      signalfd_siginfo info{};
      if (::read(signals_.get(), &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGWINCH && console) {
          copy_size(console.get());
        } else {
          os::try_signal_pidfd(pidfd, static_cast<int>(info.ssi_signo));
        }
      }
    }
    if (console && set[2].revents && !relay(console.get(), STDOUT_FILENO)) console.reset();
    if (input && set[3].revents && (!console || !relay(STDIN_FILENO, console.get()))) input = false;
    if (set[4].revents) notify->relay(::getpid());
    if (set[0].revents) {
      // What it wrote last is still in the terminal.
      while (console) {
        pollfd rest{console.get(), POLLIN, 0};
        if (::poll(&rest, 1, 0) <= 0 || !(rest.revents & POLLIN) || !relay(console.get(), STDOUT_FILENO)) break;
      }
      return os::wait_exit(pidfd)->code;
    }
  }
}

void send_console(const std::string& socket_path, const os::Fd& master) {
  os::Fd socket = os::connect_unix(socket_path, SOCK_STREAM);
  os::send_message(socket.get(), "/dev/ptmx", {master.get()});
}

}  // namespace proa::runtime
