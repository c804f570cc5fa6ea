// What the daemon says about itself and its host.
#pragma once

#include <string>

#include "api/disk_usage.h"
#include "api/system.h"
#include "image/images.h"

namespace proa::engine {

struct Rooms;

class System {
 public:
  explicit System(Rooms& rooms);
  const std::string& id() const { return id_; }  // the daemon's

  api::SystemInfo info() const;
  api::Version version() const;
  struct UsageOf {
    bool images = true, containers = true, volumes = true;
  };
  api::DiskUsage disk_usage(UsageOf wanted) const;
  // Images::check, and directories of containers that do not exist.
  image::CheckReport check(image::Repair repair) const;

 private:
  Rooms& rooms_;
  std::string id_;
};

}  // namespace proa::engine
