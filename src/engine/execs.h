// Further processes in running containers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/inspect.h"
#include "base/sync.h"
#include "engine/streams.h"

namespace proa::engine {

struct Rooms;
struct Exec;

struct ExecStartOptions {
  bool detach = false;
  bool tty = false;
  int height = 0, width = 0;
};

class Execs {
 public:
  explicit Execs(Rooms& rooms);
  ~Execs();

  std::string create(std::string_view container, const api::ExecConfig& config);
  // A failed start is written into the stream, its exit code (126, 127) is read by inspect; with `detach` it is thrown.
  void start(const std::string& id, const ExecStartOptions& options, const TakeOver& take_over);
  void resize(const std::string& id, int height, int width);
  api::ExecInspect inspect(const std::string& id) const;

  // Not for requests.
  void exited(const std::string& id, int exit_code);
  std::vector<std::string> of_container(const std::string& container_id) const;
  void forget_container(const std::string& container_id);

 private:
  std::shared_ptr<Exec> get(const std::string& id) const;

  Rooms& rooms_;
  mutable Sync<std::map<std::string, std::shared_ptr<Exec>>> execs_;
};

}  // namespace proa::engine
