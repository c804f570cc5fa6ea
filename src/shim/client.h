// The daemon's side of one shim: each call is one connection to control.sock, one request and one reply, so that calls
// of several threads never wait for each other here. Throws NotFound or Unavailable where no shim listens.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "shim/control.h"

namespace proa::shim {

class Client {
 public:
  explicit Client(std::string run_dir) : run_dir_(std::move(run_dir)) {}

  State state() const;
  // Hands a client's connection over; `socket` is duplicated by the kernel, the caller closes its own.
  void attach(const AttachStream& stream, int socket, const std::string& exec_id = "") const;
  // Returns the pid once the program was executed. The span events of shim and runtime join the caller's trace.
  pid_t exec(const ExecRequest& request, std::optional<int> socket = std::nullopt) const;
  void resize(std::uint16_t height, std::uint16_t width, const std::string& exec_id = "") const;
  // To the one process; with `everybody`, SIGKILL goes to all of the container's cgroup.
  void signal(int number, const std::string& exec_id = "", bool everybody = false) const;
  void pause() const;
  void resume() const;
  void update(const oci::Resources& resources) const;
  std::vector<pid_t> pids() const;  // of the cgroup, as the host sees them
  Json stats() const;               // the cgroup's numbers as members of docker's StatsResponse
  void close_stdin(const std::string& exec_id = "") const;
  // The exit was recorded: the shim leaves as soon as clients have their last bytes.
  void shutdown() const;
  // A connection on which Notices arrive from now on (for the monitor), the state at that moment, and what happened
  // (exits of execs) while nobody listened.
  struct Subscription {
    os::Fd socket;
    State state;
    std::vector<Notice> missed;
  };
  Subscription subscribe() const;

 private:
  Json call(std::string_view operation, Json body, const std::vector<int>& fds = {}, int timeout_seconds = 10) const;

  std::string run_dir_;
};

// Before the shim is asked to make the container: where its cgroup will be, should it die before it can say so itself.
void note_cgroup(const std::string& run_dir, const std::string& path);
// The shim is gone but its container may not be: kills what is left in the cgroup noted in RUN_DIR/state.json, or by
// note_cgroup, and waits until it is empty. Returns how many processes were found.
int kill_leftovers(const std::string& run_dir);
// Removes that cgroup.
void remove_leftover_cgroup(const std::string& run_dir);

}  // namespace proa::shim
