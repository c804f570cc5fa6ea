// Volumes as the API shows them: a thin room over volume::Volumes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/filters.h"
#include "api/volumes.h"

namespace proa::engine {

struct Rooms;

class Volumes {
 public:
  explicit Volumes(Rooms& rooms) : rooms_(rooms) {}

  std::vector<api::VolumeResource> list(const api::Filters& filters) const;
  api::VolumeResource inspect(std::string_view name) const;
  api::VolumeResource create(const api::VolumeCreateRequest& request);
  void remove(std::string_view name, bool force);
  api::VolumesPruneReport prune(const api::Filters& filters);

 private:
  Rooms& rooms_;
};

}  // namespace proa::engine
