// What happens to a container between create and remove. Each operation holds that container's own mutex; readers
// take snapshots and never wait.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "api/containers.h"

namespace proa::engine {

struct Rooms;
class Container;

struct StopOptions {
  std::optional<int> timeout;  // seconds; negative waits for ever; unset: the container's own, else 10
  std::string signal;          // "": the container's own
};

enum class WaitCondition { NotRunning, NextExit, Removed };
WaitCondition wait_condition_from(std::string_view text);  // "" is not-running; throws InvalidArgument

class Lifecycle {
 public:
  explicit Lifecycle(Rooms& rooms);

  // Throws NotModified where it runs already.
  void start(std::string_view reference);
  void stop(std::string_view reference, const StopOptions& options);
  void restart(std::string_view reference, const StopOptions& options);
  void kill(std::string_view reference, std::string_view signal);
  // `for_commit`: frozen for a moment only; should the daemon die meanwhile, the next one thaws it.
  void pause(std::string_view reference, bool for_commit = false);
  void unpause(std::string_view reference);
  void resize(std::string_view reference, int height, int width);
  // Limits and restart policy of a live container; the warnings.
  std::vector<std::string> update(std::string_view reference, const api::UpdateConfig& request);
  // `on_registered` is called when nothing that happens from now on can be missed: the server sends its headers then.
  api::WaitResult wait(std::string_view reference, WaitCondition condition, const std::function<void()>& on_registered,
                       std::stop_token stop);

  // Not for requests: the caller holds the operation mutex.
  void start_locked(Container& container);
  void stop_locked(Container& container, const StopOptions& options);

 private:
  Rooms& rooms_;
};

}  // namespace proa::engine
