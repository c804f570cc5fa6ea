// API versions: 1.24 to 1.56 are spoken; what differs between them in responses is put right here (engine-api 1.0).
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace proa::api {

struct ApiVersion {
  int major = 0, minor = 0;
  auto operator<=>(const ApiVersion&) const = default;
  // "1.41" or "v1.41"; nullopt if it is none.
  static std::optional<ApiVersion> parse(std::string_view text);
  std::string text() const;
};

inline constexpr ApiVersion kNewest{1, 56};
inline constexpr ApiVersion kOldest{1, 24};

// Throws InvalidArgument with docker's texts: too old, too new.
void check_supported(ApiVersion version);

// Responses as the newest version has them, shaped in place to what `version` promised.
void shape_container_inspect(Json& value, ApiVersion version);
void shape_container_summary(Json& value, ApiVersion version);
void shape_image_inspect(Json& value, ApiVersion version);
void shape_image_summary(Json& value, ApiVersion version);
void shape_network(Json& value, ApiVersion version);
void shape_event(Json& value, ApiVersion version);
void shape_info(Json& value, ApiVersion version);
void shape_exec_inspect(Json& value, ApiVersion version);

// Requests of an older version, given the meaning they had then (in place, before decoding). Throws InvalidArgument
// for what that version has no more.
void adapt_container_create(Json& body, ApiVersion version);

}  // namespace proa::api
