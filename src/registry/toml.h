// TOML 1.0 as far as configuration files of registries go: tables, dotted and quoted keys, one-line strings, integers,
// booleans, arrays, inline tables. Dates, floats, multi-line strings and arrays of tables are refused.
#pragma once

#include <string_view>

#include "base/json.h"

namespace proa::registry {

// Tables become objects whose members have the order of the file. Throws InvalidArgument with the number of the line.
Json parse_toml(std::string_view text);

}  // namespace proa::registry
