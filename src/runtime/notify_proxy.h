// sd_notify(3) for a container that is a service of systemd's. The service's process is the runtime, so that READY=1 of
// the container goes through a socket of its own, in a directory mounted at /run/notify, and from there to
// $NOTIFY_SOCKET.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "oci/runtime_spec.h"
#include "os/fd.h"

namespace proa::runtime {

class NotifyProxy {
 public:
  // nullopt: nobody waits for a notice. `state_dir`: the container's.
  static std::optional<NotifyProxy> of_environment(const std::string& state_dir);

  // create and run: makes the directory; the container gets it, and the variable that leads to the socket.
  void add_to(oci::Spec& spec) const;
  // start and run: makes the socket, before the program runs.
  void listen();
  int socket() const { return socket_.get(); }
  // Reads one message. True: it said READY, systemd has taken it and knows `main_pid` for the service's main process;
  // nothing more is passed on.
  bool relay(pid_t main_pid);
  // Until then, or until the process has ended.
  void wait(int pidfd, pid_t main_pid);

 private:
  NotifyProxy(std::string host, std::string directory) : host_(std::move(host)), directory_(std::move(directory)) {}
  std::string host_, directory_;
  os::Fd socket_;
};

}  // namespace proa::runtime
