#include "engine/events.h"

#include "base/text.h"

namespace proa::engine {
namespace {

bool matches(const api::Event& event, const api::Filters& filters) {
  if (!filters.matches_exactly("type", event.type) || !filters.matches_exactly("scope", event.scope)) return false;
  // "exec_start: ls" answers to "exec_start" too
  auto [plain, rest] = cut(event.action, ':');
  if (!filters.matches_exactly("event", event.action) && !filters.matches_exactly("event", plain)) return false;
  auto attribute = [&](std::string_view key) {
    auto it = event.actor.attributes.find(std::string(key));
    return it == event.actor.attributes.end() ? std::string() : it->second;
  };
  auto about = [&](std::string_view type) {
    if (!filters.has(type)) return true;
    if (type == "image") {
      auto image = event.type == "image" ? event.actor.id : attribute("image");
      auto name = event.type == "image" ? attribute("name") : image;
      return filters.any("image", [&](const std::string& wanted) {
        return wanted == image || wanted == name || cut(image, ':').first == wanted || cut(name, ':').first == wanted;
      });
    }
    if (event.type != type) {
      return type == "container" && event.type == "network" &&
             filters.matches_prefix("container", attribute("container"));
    }
    return filters.matches_prefix(type, event.actor.id) || filters.matches_exactly(type, attribute("name"));
  };
  for (std::string_view type :
       {"container", "image", "network", "volume", "plugin", "daemon", "node", "service", "secret", "config"}) {
    if (!about(type)) return false;
  }
  return filters.matches_labels(event.actor.attributes);
}

}  // namespace

void Events::emit(std::string_view type, std::string_view action, std::string_view actor_id,
                  std::map<std::string, std::string> attributes) {
  api::Event event;
  event.type = type;
  event.action = action;
  event.actor.id = actor_id;
  event.actor.attributes = std::move(attributes);
  {
    auto ring = ring_.lock();
    event.time_nano = now();
    event.time = event.time_nano / kSecond;
    ring->events.push_back(std::move(event));
    if (ring->events.size() > kKept) {
      ring->events.pop_front();
      ++ring->first;
    }
  }
  changed_.notify_all();
}

void Events::read(const Window& window, const api::Filters& filters, const std::function<void()>& begin,
                  const std::function<void(const api::Event&)>& sink, std::stop_token stop) {
  filters.check({"config", "container", "daemon", "event", "image", "label", "network", "node", "plugin", "scope",
                 "secret", "service", "type", "volume"});
  // A clock that is set meanwhile makes the wait neither longer nor shorter.
  std::int64_t wait = window.until ? *window.until - now() : 0, began = monotonic_now();
  std::uint64_t next = 0;
  {
    auto ring = ring_.lock();
    next = window.since ? ring->first : ring->first + ring->events.size();
  }
  begin();
  std::stop_callback wake(stop, [this] {
    auto ring = ring_.lock();
    changed_.notify_all();
  });
  for (;;) {
    std::deque<api::Event> batch;
    {
      auto ring = ring_.lock();
      auto end = [&] { return ring->first + ring->events.size(); };
      if (next >= end() && !stop.stop_requested()) {
        auto ready = [&] { return next < end() || stop.stop_requested(); };
        if (!window.until) {
          ring.wait(changed_, ready);
        } else {
          auto left = wait - (monotonic_now() - began);
          if (left <= 0) return;
          ring.wait_for(changed_, std::chrono::nanoseconds(left), ready);
        }
      }
      if (stop.stop_requested()) return;
      if (next < ring->first) next = ring->first;  // too slow: what fell out of the ring is lost
      for (; next < end(); ++next) batch.push_back(ring->events[next - ring->first]);
    }
    for (const auto& event : batch) {
      if (window.until && event.time_nano > *window.until) return;
      if (window.since && event.time_nano < *window.since) continue;
      if (matches(event, filters)) sink(event);
    }
  }
}

}  // namespace proa::engine
