// A container or exec in the foreground of proa-runtime: signals forwarded, the terminal relayed, the exit waited for.
#pragma once

#include <signal.h>

#include <string>

#include "os/fd.h"
#include "runtime/notify_proxy.h"

namespace proa::runtime {

// Holds signals back from before the start, so that none is lost.
class Foreground {
 public:
  Foreground();
  ~Foreground();
  Foreground(const Foreground&) = delete;
  Foreground& operator=(const Foreground&) = delete;

  // Returns the exit code. `console` may be empty; what `notify` is told goes on meanwhile.
  int wait(int pidfd, os::Fd console, NotifyProxy* notify = nullptr);

 private:
  sigset_t before_{};
  os::Fd signals_;
};

// Hands a pty master to the --console-socket of a caller.
void send_console(const std::string& socket_path, const os::Fd& master);

}  // namespace proa::runtime
