// System calls that glibc 2.36 does not wrap, or wraps in a way that is no good here. They throw, naming what failed.
#pragma once

#include <linux/sched.h>
#include <sys/types.h>

#include <cstdint>

#include "os/fd.h"

namespace proa::os {

struct CloneResult {
  pid_t pid = 0;  // 0 in the child
  Fd pidfd;       // in the parent
};
// clone3(2) as fork(2) does it, with namespaces `flags`, a pidfd, and (v2) a cgroup to be born in (-1: none).
// Only for single-threaded programs. Throws in the parent.
CloneResult clone_process(std::uint64_t flags, int cgroup_fd = -1);

void close_range(unsigned first, unsigned last, unsigned flags);
void set_namespace(int fd, int type);       // setns(2)
Fd open_pidfd(pid_t pid);                   // throws NotFound
Fd take_descriptor(int pidfd, int number);  // pidfd_getfd(2)
void signal_pidfd(int pidfd, int signal);   // throws NotFound
void pivot_root(const char* new_root, const char* put_old);
// Threads of this process, from /proc/self/stat.
int thread_count();

}  // namespace proa::os
