// `docker logs`: reads the json-file log that the shim writes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/json.h"
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
  // Empty: entries are text, framed unless the container has a terminal. Else each is a JSON object, which this makes
  // an item of the stream.
  std::function<std::string(const Json&)> json_item{};
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
