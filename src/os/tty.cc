#include "os/tty.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "os/file.h"

namespace proa::os {

bool is_tty(int fd) { return ::isatty(fd) == 1; }

std::optional<TtySize> tty_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) < 0) return std::nullopt;
  return TtySize{size.ws_row, size.ws_col};
}

void set_tty_size(int fd, TtySize size) {
  winsize wanted{};
  wanted.ws_row = size.rows;
  wanted.ws_col = size.columns;
  check(::ioctl(fd, TIOCSWINSZ, &wanted), "TIOCSWINSZ");
}

TtyPair open_tty_pair(Fd ptmx_fd) {
  // Whatever a container put at its /dev/pts/ptmx, only a real devpts multiplexer is used (CVE-2025-52565).
  struct statfs where {};
  struct stat info {};
  check(::fstatfs(ptmx_fd.get(), &where), "statfs of ptmx");
  check(::fstat(ptmx_fd.get(), &info), "stat of ptmx");
  if (where.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(info.st_mode) || info.st_rdev != makedev(5, 2)) {
    throw Error(ErrorKind::Forbidden, "/dev/pts/ptmx is no pseudo-terminal multiplexer");
  }
  int unlocked = 0;
  check(::ioctl(ptmx_fd.get(), TIOCSPTLCK, &unlocked), "TIOCSPTLCK");
  Fd slave(check(::ioctl(ptmx_fd.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC), "TIOCGPTPEER"));
  check(::fstat(slave.get(), &info), "stat of a terminal");
  if (!S_ISCHR(info.st_mode) || major(info.st_rdev) < 136 || major(info.st_rdev) > 143) {
    throw Error(ErrorKind::Forbidden, "the multiplexer gave no pseudo-terminal");
  }
  return {std::move(ptmx_fd), std::move(slave)};
}

TtyPair open_tty_pair() { return open_tty_pair(open_file("/dev/pts/ptmx", O_RDWR | O_NOCTTY)); }

RawTty::RawTty(int fd) : fd_(fd) {
  check(::tcgetattr(fd, &saved_), "tcgetattr");
  termios raw = saved_;
  ::cfmakeraw(&raw);
  check(::tcsetattr(fd, TCSANOW, &raw), "tcsetattr");
  active_ = true;
}

void RawTty::restore() {
  if (active_) ::tcsetattr(fd_, TCSANOW, &saved_);
  active_ = false;
}

NoEcho::NoEcho(int fd) : fd_(fd) {
  if (::tcgetattr(fd, &saved_) != 0) return;
  termios quiet = saved_;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  active_ = ::tcsetattr(fd, TCSANOW, &quiet) == 0;
}

NoEcho::~NoEcho() {
  if (active_) ::tcsetattr(fd_, TCSANOW, &saved_);
}

void clear_onlcr(int fd) {
  termios state{};
  check(::tcgetattr(fd, &state), "tcgetattr");
  state.c_oflag &= ~static_cast<tcflag_t>(ONLCR);
  check(::tcsetattr(fd, TCSANOW, &state), "tcsetattr");
}

}  // namespace proa::os
