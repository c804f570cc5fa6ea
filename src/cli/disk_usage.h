// What GET /system/df says, in the layout of every API version (engine-api.md).
#pragma once

#include <cstdint>

#include "base/json.h"

namespace proa::cli {

// Bytes that the layers of all images take.
std::int64_t layers_size(const Json& disk_usage);

}  // namespace proa::cli
