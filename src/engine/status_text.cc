#include "engine/status_text.h"

#include "base/text.h"

namespace proa::engine {

std::string status_text(const State& state, UnixNanos now_) {
  auto since = [&](UnixNanos then) { return human_duration(now_ - then); };
  auto code = std::to_string(state.exit_code);
  switch (state.status) {
    case Status::Running:
      if (state.health == "starting") return cat("Up ", since(state.started_at), " (health: starting)");
      if (!state.health.empty()) return cat("Up ", since(state.started_at), " (", state.health, ")");
      return cat("Up ", since(state.started_at));
    case Status::Paused:
      return cat("Up ", since(state.started_at), " (Paused)");
    case Status::Restarting:
      return cat("Restarting (", code, ") ", since(state.finished_at), " ago");
    case Status::Removing:
      return "Removal In Progress";
    case Status::Dead:
      return "Dead";
    case Status::Created:
      return "Created";
    case Status::Exited:
      return cat("Exited (", code, ") ", since(state.finished_at), " ago");
  }
  return "";
}

}  // namespace proa::engine
