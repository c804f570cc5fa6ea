// What the shim keeps: a container, made and steered by the runtime library or by a foreign OCI runtime's command line.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/verbs.h"
#include "shim/control.h"

namespace proa::shim {

class Payload {
 public:
  struct Process {
    pid_t pid = -1;  // our child, or an orphan that the kernel gives to us
    os::Fd pidfd;
    os::Fd console;  // the terminal's master
    std::string warnings;
  };
  // What came beside the request: the root, the compiled filter, and detached mounts that mounts of the spec name as
  // their source.
  struct Given {
    std::optional<os::Fd> rootfs, filter;
    std::map<std::string, os::Fd> mounts;
  };
  virtual ~Payload() = default;

  virtual Process start(CreateRequest& request, Given given, runtime::Stdio stdio) = 0;
  virtual Process exec(ExecRequest& request, runtime::Stdio stdio) = 0;
  virtual void pause() = 0;
  virtual void resume() = 0;
  virtual void update(const oci::Resources& resources) = 0;
  virtual std::vector<pid_t> pids() = 0;
  virtual void kill_all() = 0;
  virtual Json stats() = 0;
  virtual bool oom_killed() = 0;
  virtual const runtime::CgroupHandle& cgroup() const = 0;
  // After the exit: kills what is left and removes what the container had of the host.
  virtual void remove() = 0;
};

std::unique_ptr<Payload> make_library_payload();
// `command`: the program and its global options. `run_dir` is where its own state goes.
std::unique_ptr<Payload> make_cli_payload(std::vector<std::string> command, std::string id, std::string run_dir);

}  // namespace proa::shim
