// `docker stats`: counters from cgroups and /proc/<pid>/net/dev.
#pragma once

#include <stop_token>
#include <string_view>

#include "engine/streams.h"

namespace proa::engine {

struct Rooms;

struct StatsOptions {
  bool stream = true;
  bool one_shot = false;
};

class Stats {
 public:
  explicit Stats(Rooms& rooms) : rooms_(rooms) {}
  // One JSON object and a new line per second, or one only.
  void read(std::string_view reference, const StatsOptions& options, const Begin& begin, std::stop_token stop) const;

 private:
  Rooms& rooms_;
};

}  // namespace proa::engine
