// Showing whole objects: a JSON array with four blanks, or --format per object.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/command.h"

namespace proa::cli {

// nullopt: there is no such thing. Throws Error for everything else.
using Finder = std::function<std::optional<Json>(const std::string& name)>;

// Prints what was found, then each "Error: No such ..." (`missing(name)`) on standard error. 1 if any is missing.
int inspect_each(Call& call, const Finder& find, const std::function<std::string(const std::string& name)>& missing);

}  // namespace proa::cli
