// CRIU as a program of its own, `criu swrk`: one conversation over a socket for one request.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "os/fd.h"
#include "os/process.h"
#include "runtime/criu_message.h"

namespace proa::runtime::criu {

class Session {
 public:
  // `program`: "" is "criu", searched in $PATH. `fds`: what it has open besides 0, 1, 2 and its socket.
  Session(const std::string& program, std::vector<os::FdMapping> fds = {});
  ~Session() { end(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  pid_t pid() const { return child_.pid; }
  // What CRIU tells on the way; a descriptor comes with "orphan-pts-master". What it throws, ends the request.
  using Notified = std::function<void(const Answer& note, os::Fd fd)>;
  // Throws what CRIU gives as the reason, from its log `log_path` or its standard error, if it does not succeed.
  Answer request(Kind kind, const Options* options, const std::string& log_path = "", const Notified& notified = {});

 private:
  void end();
  [[noreturn]] void give_up(const Answer* answer, Kind kind, const std::string& log_path);

  os::Fd socket_, errors_;
  os::Spawned child_;
};

// Throws Unavailable where there is no CRIU, or none that works on this kernel: with what it says is lacking.
int version(const std::string& program);
Answer features(const std::string& program);

}  // namespace proa::runtime::criu
