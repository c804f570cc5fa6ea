#include "os/netns.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>

#include <cerrno>
#include <exception>
#include <thread>

#include "base/text.h"
#include "base/trace.h"
#include "os/file.h"

namespace proa::os {
namespace {

// Runs on a thread of its own, with the caller's spans, every signal blocked so that handlers stay where they belong.
void on_own_thread(const std::function<void()>& work) {
  std::exception_ptr thrown;
  trace::Recorder* recorder = trace::current();
  int parent = trace::current_parent();
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread;
  try {
    thread = std::thread([&] {
      try {
        if (recorder) {
          trace::Scope scope(*recorder, parent);
          work();
        } else {
          work();
        }
      } catch (...) {
        thrown = std::current_exception();
      }
    });
  } catch (...) {
    thrown = std::current_exception();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (thread.joinable()) thread.join();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace

NewNetns make_netns(const std::function<void()>& inside) {
  NewNetns made;
  on_own_thread([&] {
    check(::unshare(CLONE_NEWNET), "unshare network namespace");
    made.netns = current_netns();
    made.route = std::make_unique<NetlinkSocket>(NETLINK_ROUTE);
    if (inside) inside();
  });
  return made;
}

void in_netns(int netns, const std::function<void()>& inside) {
  on_own_thread([&] {
    check(::setns(netns, CLONE_NEWNET), "enter network namespace");
    inside();
  });
}

Fd netns_of_process(pid_t pid) { return open_file(cat("/proc/", pid, "/ns/net"), O_RDONLY); }

Fd current_netns() { return open_file("/proc/thread-self/ns/net", O_RDONLY); }

bool same_netns(int a, int b) {
  struct stat first {
  }, second{};
  check(::fstat(a, &first), "fstat network namespace");
  check(::fstat(b, &second), "fstat network namespace");
  return first.st_ino == second.st_ino && first.st_dev == second.st_dev;
}

}  // namespace proa::os
