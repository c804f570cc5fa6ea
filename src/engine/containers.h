// Container records: create, list, inspect, rename, remove, prune.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/containers.h"
#include "api/filters.h"
#include "api/inspect.h"

namespace proa::engine {

struct Rooms;
class Container;
struct Definition;

struct ListOptions {
  bool all = false;
  int limit = 0;  // 0: no limit
  bool size = false;
};

struct RemoveOptions {
  bool force = false;
  bool volumes = false;  // anonymous ones too
};

class Containers {
 public:
  explicit Containers(Rooms& rooms);

  // Image found, name reserved, intent recorded, directories made, record committed, event `create`.
  api::ContainerCreateResponse create(const api::ContainerCreateRequest& request);
  std::vector<api::ContainerSummary> list(const ListOptions& options, const api::Filters& filters) const;
  api::ContainerInspect inspect(std::string_view reference, bool size) const;
  void rename(std::string_view reference, std::string_view new_name);
  void remove(std::string_view reference, const RemoveOptions& options);
  // "web/db": web's link to db goes; db stays.
  void remove_link(std::string_view reference);
  api::ContainersPruneReport prune(const api::Filters& filters);

  api::TopResponse top(std::string_view reference, std::string_view ps_arguments) const;
  std::vector<api::FilesystemChange> changes(std::string_view reference) const;

  // Not for requests: removes a stopped container whose operation mutex the caller holds.
  void remove_stopped(Container& container, bool volumes);

 private:
  void remove_anonymous_volumes(const Definition& definition);

  Rooms& rooms_;
};

}  // namespace proa::engine
