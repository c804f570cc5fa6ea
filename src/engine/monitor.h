// One thread that listens to all shims and tells the engine what happened to their containers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "os/fd.h"
#include "shim/control.h"

namespace proa::engine {

class Monitor {
 public:
  // Called on the monitor's thread, one at a time: they must not block. on_exit comes exactly once per container that
  // was watched, also when its shim died (137, reason "shim died"; nothing is left in the cgroup then).
  struct Callbacks {
    std::function<void(const std::string& container_id, const shim::ExitRecord&)> on_exit;       // init
    std::function<void(const std::string& container_id, const shim::ExitRecord&)> on_exec_exit;  // record.exec_id
    std::function<void(const std::string& container_id, const std::string& exec_id, const std::string& client_id)>
        on_detach;
    std::function<void(const std::string& container_id)> on_oom;
    std::function<void()> on_run_dirs_lost;  // X/shims was emptied, and so perhaps all of X
  };

  // `run_root` is X/shims.
  Monitor(std::string run_root, Callbacks callbacks);
  ~Monitor();  // stops the thread; containers and their shims live on

  void watch(const std::string& container_id, os::Fd socket);
  // After the exit was recorded durably: lets the shim go and removes its run_dir. Idempotent, does not block.
  void acknowledge(const std::string& container_id);

  // Returns when everything that shims said before this call has been told to the callbacks. (A client that saw the end
  // of an exec's output may ask for its exit code at once.) Not from a callback.
  void catch_up();

  std::string run_dir(const std::string& container_id) const;

  // What X/shims holds at start. Living shims are reconnected and watched from here on (an exit between this call and
  // the callback's arrival is not lost). The dead ones' processes are killed; acknowledge() removes their directories.
  struct Recovered {
    std::string container_id;
    bool running = false;
    shim::State state;        // if running
    shim::ExitRecord exited;  // if not: as recorded, or 255 with a reason where nothing is known
  };
  std::vector<Recovered> recover();

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace proa::engine
