// The event stream: a ring of the last events and those who listen.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "api/events.h"
#include "api/filters.h"
#include "base/sync.h"
#include "base/time.h"

namespace proa::engine {

class Events {
 public:
  // type: "container", "image", "network", "volume", "daemon"...
  void emit(std::string_view type, std::string_view action, std::string_view actor_id,
            std::map<std::string, std::string> attributes);

  struct Window {
    std::optional<UnixNanos> since;
    std::optional<UnixNanos> until;
  };
  // Calls `sink` for each event that matches: first those since `since` (none if unset), then new ones until `until`
  // is reached or `stop` is asked. Throws InvalidArgument for unknown filters before anything is sent; `begin` is
  // called between (headers).
  void read(const Window& window, const api::Filters& filters, const std::function<void()>& begin,
            const std::function<void(const api::Event&)>& sink, std::stop_token stop);

 private:
  static constexpr std::size_t kKept = 1024;
  struct Ring {
    std::deque<api::Event> events;
    std::uint64_t first = 0;  // sequence number of events.front()
  };
  Sync<Ring> ring_;
  std::condition_variable changed_;
};

}  // namespace proa::engine
