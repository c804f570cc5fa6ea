// Messages of long operations: pull, push, import, load, build (engine-api 5.3).
#pragma once

#include "api/host_config.h"

namespace proa::api {

struct ProgressDetail {
  std::int64_t current = 0, total = 0;
};
struct ProgressError {
  int code = 0;
  std::string message;
};
struct ProgressMessage {
  std::string stream, status, id;
  std::optional<ProgressDetail> progress_detail;
  std::optional<ProgressError> error_detail;
  Json aux;
};

Json to_json(const ProgressMessage& value);
ProgressMessage progress_message_from_json(const Json& value);
// The message as sent: one object and "\r\n"; an error also has the old member "error".
std::string progress_line(const ProgressMessage& value);

}  // namespace proa::api
