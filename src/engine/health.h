// HEALTHCHECK: probes on a timer.
#pragma once

#include <map>
#include <memory>
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

  // The container runs: probes begin, if it has a health check.
  void begin(Container& container);
  void stop(const std::string& container_id);
  std::optional<api::Health> of(const std::string& container_id) const;
  // A probe's process ended (its exec id); false: it is none of ours.
  bool probe_exited(const std::string& exec_id, int exit_code);

 private:
  struct Probe;
  void schedule(const std::string& container_id, std::shared_ptr<Probe> probe, std::int64_t delay);
  void run(const std::string& container_id, const std::shared_ptr<Probe>& probe);
  void finish(const std::string& container_id, const std::shared_ptr<Probe>& probe, int exit_code, std::string output);

  Rooms& rooms_;
  mutable Sync<std::map<std::string, std::shared_ptr<Probe>>> probes_;
};

}  // namespace proa::engine
