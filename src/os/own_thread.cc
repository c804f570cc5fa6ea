#include "os/own_thread.h"

#include <signal.h>

#include <exception>
#include <thread>

#include "base/trace.h"

namespace proa::os {

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

}  // namespace proa::os
