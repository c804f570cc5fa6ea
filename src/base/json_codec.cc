#include "base/json_codec.h"

namespace proa::json::codec {

void wrong_type(std::string_view where, std::string_view wanted, const Json& got) {
  std::string shown = json::text(got);
  if (shown.size() > 40) shown = shown.substr(0, 40) + "...";
  throw Error(ErrorKind::InvalidArgument,
              cat("invalid JSON: ", where.empty() ? "value" : where, ": ", shown, " is no ", wanted));
}

}  // namespace proa::json::codec
