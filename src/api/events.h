// GET /events (engine-api 5.4).
#pragma once

#include "api/host_config.h"

namespace proa::api {

struct EventActor {
  std::string id;
  StringMap attributes;
};
struct Event {
  std::string type, action;  // "container", "start"; "exec_create: ls /"
  EventActor actor;
  std::string scope = "local";
  std::int64_t time = 0, time_nano = 0;
};

// Below 1.52 with the old members status, id and from.
Json to_json(const Event& value);
Event event_from_json(const Json& value);

}  // namespace proa::api
