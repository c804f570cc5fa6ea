// --platform, for the requests that want it in JSON.
#pragma once

#include <string>

#include "cli/flags.h"
#include "cli/session.h"
#include "oci/platform.h"

namespace proa::cli {

inline std::string platform_json(const std::string& text) {
  oci::Platform platform = oci::Platform::parse(text);
  JsonObject value{{"architecture", platform.architecture}, {"os", platform.os}};
  if (!platform.variant.empty()) value["variant"] = platform.variant;
  return json::text(value);
}

inline void add_platform(Query& query, const Flags& flags) {
  if (flags.given("platform")) query.emplace_back("platform", platform_json(flags.text("platform")));
}

}  // namespace proa::cli
