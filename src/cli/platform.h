// --platform, for the requests that want it in JSON.
#pragma once

#include <string>

#include "cli/session.h"
#include "oci/platform.h"

namespace proa::cli {

inline void add_platform(StreamRequest& request, const std::string& text) {
  if (text.empty()) return;
  oci::Platform platform = oci::Platform::parse(text);
  JsonObject value{{"architecture", platform.architecture}, {"os", platform.os}};
  if (!platform.variant.empty()) value["variant"] = platform.variant;
  request.query.add("platform", json::text(value));
}

}  // namespace proa::cli
