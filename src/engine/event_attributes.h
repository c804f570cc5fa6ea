// The attributes of a container's events: its labels, name and image, and what belongs to the action.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "engine/container.h"
#include "engine/events.h"

namespace proa::engine {

inline void emit_container(Events& events, const Definition& definition, std::string_view action,
                           const std::map<std::string, std::string>& more = {}) {
  std::map<std::string, std::string> attributes = definition.config.labels;
  attributes["image"] = definition.config.image;
  attributes["name"] = definition.name;
  for (const auto& [key, value] : more) attributes[key] = value;
  events.emit("container", action, definition.id, std::move(attributes));
}

}  // namespace proa::engine
