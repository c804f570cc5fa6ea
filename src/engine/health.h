// HEALTHCHECK: one thread per checked container runs its probes as execs.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "api/inspect.h"
#include "base/sync.h"

namespace proa::engine {

struct Rooms;
class Container;

class Health {
 public:
  explicit Health(Rooms& rooms) : rooms_(rooms) {}
  ~Health();  // waits for the probes that run

  // The container runs: probes begin, if it has a health check.
  void begin(Container& container);
  // Does not wait.
  void stop(const std::string& container_id);
  std::optional<api::Health> of(const std::string& container_id) const;

 private:
  struct Probe;
  void loop(const std::shared_ptr<Probe>& probe);
  void run_once(Probe& probe);

  Rooms& rooms_;
  mutable Sync<std::map<std::string, std::shared_ptr<Probe>>> probes_;
  std::mutex mutex_;
  std::condition_variable idle_;
  int threads_ = 0;
};

}  // namespace proa::engine
