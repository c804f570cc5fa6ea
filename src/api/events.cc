#include "api/events.h"

#include "api/host_config_fields.h"

namespace proa {

FIELDS(EventActor, always("ID", &T::id), always("Attributes", &T::attributes));
FIELDS(Event, always("Type", &T::type), always("Action", &T::action), always("Actor", &T::actor),
       optional("scope", &T::scope), optional("time", &T::time), optional("timeNano", &T::time_nano));

namespace api {

Json to_json(const Event& value) {
  JsonObject object;
  if (value.type == "container" || value.type == "image") {
    object["status"] = value.action;
    object["id"] = value.actor.id;
    if (auto from = value.actor.attributes.find("image");
        value.type == "container" && from != value.actor.attributes.end()) {
      object["from"] = from->second;
    }
  }
  Json rest = json::encode(value);
  for (auto& member : rest.get_object()) object[member.key()] = std::move(member.value());
  return object;
}

Event event_from_json(const Json& value) { return json::decode<Event>(value); }

}  // namespace api
}  // namespace proa
