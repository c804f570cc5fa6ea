// `docker logs`: reads the json-file log that the shim writes.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/time.h"
#include "engine/streams.h"

namespace proa::engine {

struct Rooms;

struct LogOptions {
  bool out = false;
  bool err = false;
  bool follow = false;
  bool timestamps = false;
  bool details = false;
  UnixNanos since = 0;               // 0: from the start
  UnixNanos until = 0;               // 0: no end
  std::optional<std::int64_t> tail;  // unset: all
};

class Logs {
 public:
  explicit Logs(Rooms& rooms) : rooms_(rooms) {}

  void read(std::string_view reference, const LogOptions& options, const BeginFramed& begin,
            std::stop_token stop) const;

 private:
  Rooms& rooms_;
};

}  // namespace proa::engine
