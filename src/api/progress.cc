#include "api/progress.h"

#include "api/host_config_fields.h"

namespace proa {

FIELDS(ProgressDetail, optional("current", &T::current), optional("total", &T::total));
FIELDS(ProgressError, optional("code", &T::code), always("message", &T::message));
FIELDS(ProgressMessage, optional("stream", &T::stream), optional("status", &T::status),
       optional("progressDetail", &T::progress_detail), optional("id", &T::id),
       optional("errorDetail", &T::error_detail), optional("aux", &T::aux));

namespace api {

Json to_json(const ProgressMessage& value) {
  Json object = json::encode(value);
  if (value.error_detail) object.get_object()["error"] = value.error_detail->message;
  return object;
}

ProgressMessage progress_message_from_json(const Json& value) {
  ProgressMessage message = json::decode<ProgressMessage>(value);
  if (!message.error_detail) {
    if (std::string old = json::string_at(value, "error"); !old.empty()) message.error_detail = ProgressError{0, old};
  }
  return message;
}

std::string progress_line(const ProgressMessage& value) { return json::text(to_json(value)) + "\r\n"; }

}  // namespace api
}  // namespace proa
