// The end of a container's run: recorded, announced, tidied up, and what comes after it (restart, removal).
#pragma once

#include <memory>
#include <string>

#include "engine/container.h"
#include "shim/exit_record.h"

namespace proa::engine {

struct Rooms;

// What the shim has recorded of an exit, as the engine takes it; one without a time is of now.
ExitReport report_of(const shim::ExitRecord& record);

class Exits {
 public:
  explicit Exits(Rooms& rooms) : rooms_(rooms) {}

  // From the monitor's thread: does not block on operations.
  void exited(const std::string& container_id, const shim::ExitRecord& record);
  // What came while its start was not yet committed, now that it is.
  void deliver_early_exit(Container& container);

  // Caller holds the operation mutex: what the last run left (network, mounts, shim).
  void clean_up(Container& container);
  // Kills everything in the container and waits until its exit is recorded (10 s). No mutex is needed.
  void kill_now(Container& container);

  // At start of the daemon: the exit of a container that ended while we were away.
  void apply(Container& container, const ExitReport& report);

 private:
  void settle(const std::shared_ptr<Container>& container, std::int64_t delay);
  void restart(const std::shared_ptr<Container>& container);

  Rooms& rooms_;
};

}  // namespace proa::engine
