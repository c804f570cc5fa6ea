#include "base/units.h"

#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>

#include "base/text.h"

namespace proa {

std::optional<std::int64_t> parse_ram_bytes(std::string_view text) {
  std::size_t digits = text.find_first_not_of("0123456789.");
  auto number = parse_double(text.substr(0, digits));
  if (!number || *number < 0) return std::nullopt;
  std::string unit = digits == std::string_view::npos ? "" : to_lower(trim(text.substr(digits)));
  if (unit.size() > 1 && unit.ends_with("ib")) {
    unit.resize(unit.size() - 2);
  } else if (unit.size() > 1 && unit.ends_with("b")) {
    unit.resize(unit.size() - 1);
  }
  constexpr std::string_view kUnits = "bkmgtp";
  std::size_t power = 0;
  if (!unit.empty()) {
    power = kUnits.find(unit);
    if (unit.size() != 1 || power == std::string_view::npos) return std::nullopt;
  }
  double bytes = std::floor(*number * std::pow(1024.0, static_cast<double>(power)));
  if (bytes > 9.2e18) return std::nullopt;
  return static_cast<std::int64_t>(bytes);
}

namespace {

std::string scaled(double bytes, double base, int precision, const std::array<std::string_view, 7>& names) {
  std::size_t unit = 0;
  while (bytes >= base && unit + 1 < names.size()) {
    bytes /= base;
    ++unit;
  }
  char text[48];
  std::snprintf(text, sizeof text, "%.*g", precision, bytes);
  return cat(std::string_view(text), names[unit]);
}

}  // namespace

std::string human_size(double bytes, int precision) {
  return scaled(bytes, 1000, precision, {"B", "kB", "MB", "GB", "TB", "PB", "EB"});
}

std::string binary_size(double bytes) {
  return scaled(bytes, 1024, 4, {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"});
}

}  // namespace proa
