// What proa-runtime remembers of a container between two commands: <root>/<id>/state.json, and the gate's socket.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/runtime_spec.h"
#include "runtime/cgroup.h"
#include "runtime/seccomp.h"

namespace proa::runtime {

struct ContainerState {
  std::string id, bundle, rootfs, created;
  int pid = -1;
  std::uint64_t start_time = 0;  // of pid, in ticks: a later process with the same number is another one
  CgroupHandle cgroup;
  oci::Spec spec;
};

class StateDir {
 public:
  StateDir(std::string root, std::string id);

  const std::string& path() const { return path_; }
  std::string gate_path() const;
  // Makes the directory: Conflict `container with id "x" already exists`.
  void reserve();
  void save(const ContainerState& state);
  ContainerState load() const;  // NotFound "container does not exist"
  // Beside the state, whose specification need not keep the rules then: exec neither reads nor compiles them.
  void save_filter(const SeccompProgram& filter);
  std::optional<SeccompProgram> load_filter() const;
  void remove();

 private:
  std::string path_, id_;
};

// "created", "running", "paused" or "stopped", asked of the kernel.
std::string status_of(const ContainerState& state, const StateDir& dir);
bool is_alive(const ContainerState& state);
void wait_until_dead(const ContainerState& state);  // throws Deadline
void end(const ContainerState& state);              // SIGKILL for all of it, and waits for init's end
// The end of a container without processes: its cgroup goes, poststop hooks run, then the
// directory. Throws Unavailable for a cgroup that is busy.
void remove_container(StateDir& dir, const ContainerState& state);
std::vector<std::string> list_containers(const std::string& root);

}  // namespace proa::runtime
