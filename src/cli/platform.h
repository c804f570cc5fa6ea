// --platform, for the requests that want it in JSON.
#pragma once

#include <string>

#include "cli/session.h"
#include "oci/platform.h"

namespace proa::cli {

inline std::string platform_json(const std::string& text) {
  oci::Platform platform = oci::Platform::parse(text);
  JsonObject value{{"architecture", platform.architecture}, {"os", platform.os}};
  if (!platform.variant.empty()) value["variant"] = platform.variant;
  return json::text(value);
}

inline void add_platform(StreamRequest& request, const std::string& text) {
  if (!text.empty()) request.query.add("platform", platform_json(text));
}

}  // namespace proa::cli
