// What GET /system/df says, in the layout of every API version (engine-api.md).
#pragma once

#include <cstdint>

#include "base/json.h"

namespace proa::cli {

// Bytes of disk that all images take together.
std::int64_t layers_size(const Json& disk_usage);
// Its images: Size, and in it SharedSize, are bytes of disk. Lives as long as `disk_usage`.
const JsonArray& images_of_usage(const Json& disk_usage);

}  // namespace proa::cli
