#include "server/json_stream.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace proa::server {
namespace {

constexpr std::string_view kSequence = "application/json-seq";
constexpr std::array<std::string_view, 3> kTypes = {"application/jsonl", "application/x-ndjson", kSequence};

// The weight of "application/jsonl;q=0.5". What is unreadable is 0: not wanted.
double weight_of(std::string_view parameters) {
  for (const std::string& parameter : split(parameters, ';')) {
    auto [key, value] = cut(parameter, '=');
    if (iequals(trim(key), "q")) return parse_double(trim(value.value_or(""))).value_or(0);
  }
  return 1;
}

double weight_of(const http::Headers& headers, std::string_view type) {
  double best = 0;
  for (const auto& [name, value] : headers.list()) {
    if (!iequals(name, "Accept")) continue;
    for (const std::string& range : split(value, ',')) {
      auto [named, parameters] = cut(range, ';');
      if (iequals(trim(named), type)) best = std::max(best, weight_of(parameters.value_or("")));
    }
  }
  return best;
}

}  // namespace

std::string_view chosen_json_stream(const http::Headers& headers) {
  std::string_view chosen;
  double best = 0;
  for (std::string_view type : kTypes) {
    double weight = weight_of(headers, type);
    if (weight <= best) continue;
    chosen = type;
    best = weight;
  }
  return chosen;
}

std::string json_stream_item(std::string_view type, const Json& document) {
  return cat(type == kSequence ? "\x1e" : "", json::text(document), "\n");
}

}  // namespace proa::server
