#include "runtime/unit_properties.h"

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "base/text.h"

namespace proa::runtime {
namespace {

[[noreturn]] void refuse(std::string message) { throw Error(ErrorKind::InvalidArgument, std::move(message)); }

bool is_letter(char one) { return (one >= 'A' && one <= 'Z') || (one >= 'a' && one <= 'z'); }

void check_name(std::string_view name) {
  if (name.size() < 3 || !std::all_of(name.begin(), name.end(), is_letter)) {
    refuse("the name of a property has letters only, three at least");
  }
  // Where the scope is and who is in it: the container would not be where its limits are, others would be.
  if (name == "Slice") refuse("the slice is given by linux.cgroupsPath");
  if (name == "PIDs") refuse("nothing but the container is in its scope");
}

bool ends_in_seconds(std::string_view name) {
  return name.size() > 3 && name.ends_with("Sec") && name[name.size() - 4] >= 'a' && name[name.size() - 4] <= 'z';
}

GVariant microseconds(const GVariant& seconds) {
  constexpr std::uint64_t kMillion = 1'000'000;
  constexpr std::string_view kNumbers = "ynqiuxtd", kSigned = "nix";
  if (seconds.is_array || kNumbers.find(seconds.type) == std::string_view::npos) refuse("not a number");
  auto bits = seconds.elements[0].bits;
  if (seconds.type == 'd') {
    double product = std::bit_cast<double>(bits) * kMillion;
    if (!(product >= 0 && product < 0x1p64)) refuse("not a time");
    return {'t', false, {{static_cast<std::uint64_t>(product), {}}}};
  }
  bool negative = kSigned.find(seconds.type) != std::string_view::npos && static_cast<std::int64_t>(bits) < 0;
  if (negative || bits > UINT64_MAX / kMillion) refuse("not a time");
  return {'t', false, {{bits * kMillion, {}}}};
}

UnitProperty property_of(std::string_view name, std::string_view text) {
  check_name(name);
  GVariant value = parse_gvariant(text);
  if (!ends_in_seconds(name)) return {std::string(name), std::move(value)};
  return {cat(name.substr(0, name.size() - 3), "USec"), microseconds(value)};
}

}  // namespace

std::vector<UnitProperty> annotated_properties(const std::map<std::string, std::string>& annotations) {
  std::vector<UnitProperty> out;
  for (const auto& [key, text] : annotations) {
    if (!key.starts_with(kPropertyAnnotation)) continue;
    out.push_back(in_context(cat("annotation ", key, "=", quoted(text)), [&] {
      return property_of(std::string_view(key).substr(kPropertyAnnotation.size()), text);
    }));
  }
  return out;
}

}  // namespace proa::runtime
