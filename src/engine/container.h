// One container: what was asked for (Definition), how it is (State), and the locks that go with it.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "api/inspect.h"
#include "base/time.h"
#include "oci/digest.h"
#include "os/fd.h"
#include "volume/mount_args.h"

namespace proa::engine {

enum class Status { Created, Running, Paused, Restarting, Removing, Exited, Dead };
std::string_view to_string(Status status);

// --link on the default bridge: another container, and the name by which this one knows it.
struct Link {
  std::string container_id, alias;
  std::string name;  // the other's, when the link was made
};

// Changes rarely: rename, update, network connect.
struct Definition {
  std::string id, name;  // the name without its slash
  UnixNanos created = 0;
  std::string image_id;               // "sha256:..."
  std::string image_manifest;         // of the platform, where it is not the one that the image is unpacked for
  std::vector<std::string> diff_ids;  // of the image, bottom first
  api::ContainerConfig config;        // with the image's defaults in it
  api::HostConfig host_config;
  std::vector<volume::MountPoint> mounts;                               // volumes have their names
  std::vector<std::pair<std::string, api::EndpointSettings>> networks;  // as asked for, in order
  std::vector<Link> links;                                              // host_config.links is empty: these are they
  std::string path;                                                     // the program and its arguments
  std::vector<std::string> args;
  std::string trace_id;
};

struct State {
  Status status = Status::Created;
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  // with the pid it names a process
  int exit_code = 0;
  std::string error;
  bool oom_killed = false;
  UnixNanos started_at = kZeroTime, finished_at = kZeroTime;
  int restart_count = 0;
  bool stopped_by_user = false;    // docker stop or kill: the restart policy rests
  bool paused_for_commit = false;  // frozen by us for a moment (crash: it runs on)
  bool starting = false;           // a start is under way (crash: nothing of it stays)
  std::string health;              // "", starting, healthy, unhealthy
  bool running() const { return status == Status::Running || status == Status::Paused; }
  bool active() const { return running() || status == Status::Restarting; }
};

Json to_json(const Definition& definition);
Definition definition_from_json(const Json& value);
std::vector<oci::Digest> layers_of(const Definition& definition);  // its diff IDs
Json to_json(const State& state);
State state_from_json(const Json& value);

struct ExitReport {
  int exit_code = 0;
  int signal = 0;
  bool oom_killed = false;
  UnixNanos finished_at = 0;
  std::int64_t ran = 0;  // nanoseconds, whatever was done to the clock meanwhile; 0: not known
  pid_t killer_pid = 0;  // 0: not known
  uid_t killer_uid = 0;
};

struct Snapshot {
  std::shared_ptr<const Definition> definition;
  State state;
};

class Container {
 public:
  Container(Definition definition, State state);

  const std::string& id() const { return id_; }
  // Never waits for an operation.
  std::shared_ptr<const Snapshot> snapshot() const;
  std::shared_ptr<const Definition> definition() const { return snapshot()->definition; }
  State state() const { return snapshot()->state; }
  std::string name() const { return snapshot()->definition->name; }

  // Held by start, stop, remove, rename, update... for as long as they take.
  std::mutex operation;

  // Publishes a change; `persist` is called with the new snapshot before it can be seen. Wakes waiters.
  void change(const std::function<void(Definition&)>& definition, const std::function<void(State&)>& state,
              const std::function<void(const Snapshot&)>& persist);

  // Exits seen so far and whether the container is gone: what wait() waits on.
  struct Epoch {
    std::uint64_t exits = 0;
    bool removed = false;
    int last_exit = 0;
    std::string last_error;
    std::string removal_error;  // its removal on exit (--rm) has failed
    bool releasing = false;     // it has ended, and its network and volumes are about to be free for others
  };
  Epoch epoch() const;
  void count_exit(int exit_code, std::string error);
  void mark_releasing(bool releasing);
  void mark_removed();
  void mark_removal_failed(std::string error);
  // Until `ready` holds (called with what is now) or `stop` is asked: false then.
  bool wait(const std::function<bool(const Epoch&, const Snapshot&)>& ready, std::stop_token stop) const;
  bool wait_for(const std::function<bool(const Epoch&, const Snapshot&)>& ready, std::int64_t nanoseconds) const;
  // The state after a start that is under way: a client can have read the program's output, and answer it with a
  // signal, before the daemon has noted that it runs.
  State settled_state() const;

  // Guarded by `operation`.
  struct Run {
    os::Fd root;                 // keeps the mount until the exit was reported: the last unmount is slow
    bool needs_cleanup = false;  // the last run's network and mounts are still there
    std::int64_t restart_delay = 0;
  } run;

  // An exit that came before its start was committed. Guarded by exit_mutex.
  std::mutex exit_mutex;
  std::optional<ExitReport> early_exit;
  std::string last_signal;  // which request sent the container's last signal, for explain

 private:
  const std::string id_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_;
  Epoch epoch_;
  mutable std::condition_variable_any changed_;
};

}  // namespace proa::engine
