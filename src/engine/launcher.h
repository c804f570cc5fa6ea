// Starts a container: one proa-shim (kept ready, or spawned), one message, one reply.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/trace.h"
#include "engine/shim_process.h"
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
  // Off the path: makes what the next launch then need not wait for.
  virtual void keep_ready() {}
};

class ShimLauncher : public Launcher {
 public:
  // `program` "": proa-shim beside the running program (/proc/self/exe).
  explicit ShimLauncher(std::string program = "", std::chrono::seconds deadline = std::chrono::seconds(60));
  Launched launch(const shim::CreateRequest& request, const std::vector<int>& fds) override;
  void keep_ready() override;

 private:
  ShimProcess take_shim(trace::Span& span);

  std::string program_;
  std::chrono::seconds deadline_;
  std::mutex spare_mutex_;  // held while the spare is made: two would be one too many
  std::optional<ShimProcess> spare_;
};

}  // namespace proa::engine
