// Properties of the systemd driver's scope that annotations of config.json give: "org.systemd.property.NAME", whose
// value is in GVariant's text format.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/gvariant.h"

namespace proa::runtime {

constexpr std::string_view kPropertyAnnotation = "org.systemd.property.";

struct UnitProperty {
  std::string name;
  GVariant value;
  friend bool operator==(const UnitProperty&, const UnitProperty&) = default;
};

// Only such as do nothing to other units. A name as it is documented, in seconds (TimeoutStopSec), becomes the one that
// D-Bus has, in microseconds (TimeoutStopUSec). Pure. Throws InvalidArgument.
std::vector<UnitProperty> annotated_properties(const std::map<std::string, std::string>& annotations);

}  // namespace proa::runtime
