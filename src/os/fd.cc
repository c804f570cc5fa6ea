#include "os/fd.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"

namespace proa::os {

std::string errno_text(int errno_code) {
  const char* known = strerrordesc_np(errno_code);
  std::string text = known ? known : cat("errno ", errno_code);
  return cat(to_lower(text.substr(0, 1)), text.substr(1));
}

ErrorKind kind_of_errno(int errno_code) {
  switch (errno_code) {
    case ENOENT:
    case ESRCH:
      return ErrorKind::NotFound;
    case EACCES:
    case EPERM:
      return ErrorKind::Forbidden;
    case EEXIST:
      return ErrorKind::Conflict;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ECONNREFUSED:
      return ErrorKind::Unavailable;
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
      return ErrorKind::InvalidArgument;
    case ETIMEDOUT:
      return ErrorKind::Deadline;
    case ECANCELED:
      return ErrorKind::Cancelled;
    default:
      return ErrorKind::Internal;
  }
}

void fail(std::string_view what, int errno_code) {
  std::string reason = errno_text(errno_code);
  throw Error(kind_of_errno(errno_code), cat(what, ": ", reason), errno_code);
}

void fail(std::string_view what) { fail(what, errno); }

void Fd::reset() {
  // close(2) may report a late write error; whoever cares has called fsync before.
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Fd Fd::duplicate() const { return Fd(check(::fcntl(fd_, F_DUPFD_CLOEXEC, 3), "dup")); }

std::pair<Fd, Fd> make_pipe() {
  int ends[2];
  check(::pipe2(ends, O_CLOEXEC), "pipe2");
  return {Fd(ends[0]), Fd(ends[1])};
}

void open_missing_stdio() {
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0) check(::open("/dev/null", O_RDWR), "open /dev/null");
}

void set_cloexec(int fd, bool on) { check(::fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0), "fcntl(F_SETFD)"); }

void set_nonblocking(int fd, bool on) {
  int flags = check(::fcntl(fd, F_GETFL), "fcntl(F_GETFL)");
  check(::fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK), "fcntl(F_SETFL)");
}

std::string fd_path(int fd) { return cat("/proc/self/fd/", fd); }

}  // namespace proa::os
