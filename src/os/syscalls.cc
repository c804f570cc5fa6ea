#include "os/syscalls.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "os/file.h"

namespace proa::os {

CloneResult clone_process(std::uint64_t flags, int cgroup_fd) {
  int pidfd = -1;
  clone_args args{};
  args.flags = flags | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  args.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD;  // a sibling takes its parent's
  if (cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(cgroup_fd);
  }
  auto pid = static_cast<pid_t>(check(::syscall(SYS_clone3, &args, sizeof args), "clone3"));
  if (pid == 0) return {};
  return {pid, Fd(pidfd)};
}

void close_range(unsigned first, unsigned last, unsigned flags) {
  check(::syscall(SYS_close_range, first, last, flags), "close_range");
}

void set_namespace(int fd, int type) { check(::setns(fd, type), "setns"); }

Fd open_pidfd(pid_t pid) {
  return Fd(static_cast<int>(check(::syscall(SYS_pidfd_open, pid, 0), cat("pidfd_open ", pid))));
}

Fd take_descriptor(int pidfd, int number) {
  return Fd(static_cast<int>(check(::syscall(SYS_pidfd_getfd, pidfd, number, 0), cat("pidfd_getfd ", number))));
}

void signal_pidfd(int pidfd, int signal) {
  check(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0), cat("pidfd_send_signal ", signal));
}

void pivot_root(const char* new_root, const char* put_old) {
  check(::syscall(SYS_pivot_root, new_root, put_old), "pivot_root");
}

int thread_count() {
  std::string text = read_file("/proc/self/stat", 4096);
  auto fields = split(std::string_view(text).substr(text.rfind(')') + 2), ' ');
  return fields.size() > 17 ? parse_int<int>(fields[17]).value_or(0) : 0;
}

}  // namespace proa::os
