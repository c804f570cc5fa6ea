// Words that several listings share.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/json.h"

namespace proa::cli {

std::string ellipsis(std::string_view text, std::size_t runes);  // docker's: "abc…"
std::string ago(std::int64_t unix_seconds);                      // "5 minutes ago"
std::string created_at(std::int64_t unix_seconds);               // "2026-11-23 21:00:00 +0000 UTC"
std::string labels_text(const Json* labels);                     // "a=b,c=d"
std::string truncated_id(std::string_view id);                   // 12 digits, without "sha256:"
std::string size_text(double bytes);                             // three digits
// "repo:5000/x:tag" -> repo:5000/x and tag.
std::pair<std::string, std::string> split_tag(const std::string& reference);
// "0.0.0.0:80->80/tcp, 90/tcp" of a summary's Ports.
std::string ports_text(const Json* ports);
// The members of an object, JSON text of the value where it is none; empty object if `value` is null.
JsonObject object_of(const Json* value);
const JsonArray& array_of(const Json* value);

}  // namespace proa::cli
