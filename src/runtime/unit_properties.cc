#include "runtime/unit_properties.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/error.h"
#include "base/text.h"

namespace proa::runtime {
namespace {

using namespace std::string_view_literals;

[[noreturn]] void refuse(std::string message) { throw Error(ErrorKind::InvalidArgument, std::move(message)); }

// What may be said of a container's scope: how it is called, ordered, limited, counted and ended. Not: what moves it or
// others (Slice, PIDs), starts or stops other units (Wants, Conflicts, OnFailure), loads programs into the kernel or
// opens devices (CVE-2024-3154).
bool may_be_given(std::string_view name) {
  auto is_letter = [](char one) { return (one >= 'A' && one <= 'Z') || (one >= 'a' && one <= 'z'); };
  if (!std::all_of(name.begin(), name.end(), is_letter)) return false;
  constexpr std::array kNames = {"After"sv,        "AllowedCPUs"sv, "AllowedMemoryNodes"sv, "Before"sv,
                                 "CollectMode"sv,  "Description"sv, "Documentation"sv,      "FinalKillSignal"sv,
                                 "IPAccounting"sv, "KillMode"sv,    "KillSignal"sv,         "OOMPolicy"sv,
                                 "SendSIGHUP"sv,   "SendSIGKILL"sv};
  constexpr std::array kBeginnings = {
      "BlockIO"sv,    "CPU"sv,        "DefaultMemory"sv, "DefaultStartupMemory"sv,   "IO"sv,
      "ManagedOOM"sv, "Memory"sv,     "RuntimeMax"sv,    "RuntimeRandomizedExtra"sv, "Startup"sv,
      "Tasks"sv,      "TimeoutStop"sv};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end() ||
         std::any_of(kBeginnings.begin(), kBeginnings.end(),
                     [&](auto beginning) { return name.starts_with(beginning); });
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
  if (!may_be_given(name)) refuse("no property that a container's scope may be given");
  GVariant value = parse_gvariant(text);
  if (!ends_in_seconds(name)) return {std::string(name), std::move(value)};
  return {cat(name.substr(0, name.size() - 3), "USec"), microseconds(value)};
}

}  // namespace

std::vector<UnitProperty> annotated_properties(const std::map<std::string, std::string>& annotations) {
  std::vector<UnitProperty> out;
  for (const auto& [key, text] : annotations) {
    if (!key.starts_with(kPropertyAnnotation)) continue;
    out.push_back(in_context(cat("annotation ", key, "=", quoted(text)), [&key = key, &text = text] {
      return property_of(std::string_view(key).substr(kPropertyAnnotation.size()), text);
    }));
  }
  return out;
}

}  // namespace proa::runtime
