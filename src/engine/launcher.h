// Starts a container: one spawn of proa-shim, one message, one reply.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "os/fd.h"
#include "shim/control.h"

namespace proa::engine {

struct Launched {
  shim::Started started;
  os::Fd socket;  // the shim's notices arrive here: give it to Monitor::watch
};

// The seam that tests replace.
class Launcher {
 public:
  virtual ~Launcher() = default;
  // `fds` in the order of request.fds. Makes request.run_dir. Throws the runtime's Error where the start failed; then
  // shim, processes and run_dir are gone. The spans of shim, runtime and init join the caller's trace under `launch`.
  virtual Launched launch(const shim::CreateRequest& request, const std::vector<int>& fds) = 0;
};

class ShimLauncher : public Launcher {
 public:
  // `program` "": proa-shim beside the running program (/proc/self/exe).
  explicit ShimLauncher(std::string program = "", std::chrono::seconds deadline = std::chrono::seconds(60));
  Launched launch(const shim::CreateRequest& request, const std::vector<int>& fds) override;

 private:
  std::string program_;
  std::chrono::seconds deadline_;
};

}  // namespace proa::engine
