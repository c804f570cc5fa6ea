#include "cli/listing_text.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "base/text.h"
#include "base/time.h"
#include "base/units.h"

namespace proa::cli {

std::string ellipsis(std::string_view text, std::size_t runes) {
  std::size_t count = 0, cut_at = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0xC0) == 0x80) continue;
    if (count == runes - 1) cut_at = i;
    ++count;
  }
  return count <= runes ? std::string(text) : cat(text.substr(0, cut_at), "…");
}

std::string ago(std::int64_t unix_seconds) { return human_duration(now() - unix_seconds * kSecond) + " ago"; }
std::string created_at(std::int64_t unix_seconds) { return format_go_time(unix_seconds * kSecond); }

std::string labels_text(const Json* labels) {
  std::vector<std::string> pairs;
  if (labels && labels->is_object()) {
    for (const auto& [key, value] : labels->get_object())
      pairs.push_back(cat(std::string_view(key), "=", value.is_string() ? std::string_view(value.get_string()) : ""));
  }
  std::sort(pairs.begin(), pairs.end());
  return join(pairs, ",");
}

std::string truncated_id(std::string_view id) {
  if (std::size_t colon = id.find(':'); colon != std::string_view::npos) id.remove_prefix(colon + 1);
  return std::string(id.substr(0, 12));
}

std::pair<std::string, std::string> split_tag(const std::string& reference) {
  std::size_t colon = reference.rfind(':');
  if (colon == std::string::npos || reference.find('/', colon) != std::string::npos) return {reference, ""};
  return {reference.substr(0, colon), reference.substr(colon + 1)};
}

std::string size_text(double bytes) { return human_size(bytes, 3); }

JsonObject object_of(const Json* value) { return value && value->is_object() ? value->get_object() : JsonObject(); }

const JsonArray& array_of(const Json* value) {
  static const JsonArray kEmpty;
  return value && value->is_array() ? value->get_array() : kEmpty;
}

std::string ports_text(const Json* ports) {
  struct Published {
    std::int64_t inner;
    std::string ip;
    std::int64_t outer;
    std::string type;
  };
  std::vector<Published> all;
  for (const Json& port : array_of(ports)) {
    all.push_back({json::int_at(port, "PrivatePort"), json::string_at(port, "IP"), json::int_at(port, "PublicPort"),
                   json::string_at(port, "Type")});
  }
  std::sort(all.begin(), all.end(), [](const Published& a, const Published& b) {
    return std::tie(a.inner, a.ip, a.outer, a.type) < std::tie(b.inner, b.ip, b.outer, b.type);
  });
  auto host = [](const std::string& ip, const std::string& port) {
    return ip.find(':') != std::string::npos ? cat("[", ip, "]:", port) : cat(ip, ":", port);
  };
  struct Group {
    std::int64_t first, last;
  };
  using Key = std::pair<std::string, std::string>;  // ip, type
  auto group_text = [&](const Key& key, const Group& group) {
    std::string range = group.first == group.last ? cat(group.first) : cat(group.first, "-", group.last);
    return cat(key.first.empty() ? range : cat(host(key.first, range), "->", range), "/", key.second);
  };
  std::map<Key, Group> groups;
  std::vector<Key> order;
  std::vector<std::string> parts, mappings;
  for (const Published& port : all) {
    if (!port.ip.empty() && port.outer != port.inner) {
      mappings.push_back(cat(host(port.ip, cat(port.outer)), "->", port.inner, "/", port.type));
      continue;
    }
    Key key{port.ip, port.type};
    auto [group, added] = groups.emplace(key, Group{port.inner, port.inner});
    if (added) {
      order.push_back(key);
    } else if (port.inner == group->second.last + 1) {
      group->second.last = port.inner;
    } else {
      parts.push_back(group_text(key, group->second));
      group->second = {port.inner, port.inner};
    }
  }
  for (const Key& key : order) parts.push_back(group_text(key, groups[key]));
  parts.insert(parts.end(), mappings.begin(), mappings.end());
  return join(parts, ", ");
}

}  // namespace proa::cli
