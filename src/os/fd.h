// Ownership of file descriptors, and the one way in which a failed system call becomes an Error.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace proa::os {

// Throws Error for the current errno: "what: no such file or directory". The kind follows errno (ENOENT is NotFound,
// EACCES and EPERM Forbidden, EEXIST Conflict, ENOSPC and EDQUOT Unavailable, EINVAL InvalidArgument, else Internal).
[[noreturn]] void fail(std::string_view what);
[[noreturn]] void fail(std::string_view what, int errno_code);
// strerror without locale, thread-safe.
std::string errno_text(int errno_code);
ErrorKind kind_of_errno(int errno_code);

// `result` if it is not negative, else fail(what).
template <class Result>
Result check(Result result, std::string_view what) {
  if (result < 0) fail(what);
  return result;
}

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();
  // dup(2) with CLOEXEC. Throws.
  Fd duplicate() const;

 private:
  int fd_ = -1;
};

// Opens /dev/null where standard input, output or error is closed, so that nothing else gets their numbers. For the
// beginning of main(). Throws.
void open_missing_stdio();
// pipe2(O_CLOEXEC): first is the end to read from.
std::pair<Fd, Fd> make_pipe();
void set_cloexec(int fd, bool on);
void set_nonblocking(int fd, bool on);
// "/proc/self/fd/N"
std::string fd_path(int fd);

}  // namespace proa::os
