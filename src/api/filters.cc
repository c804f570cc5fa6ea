#include "api/filters.h"

#include <regex.h>

#include <algorithm>

#include "base/text.h"

namespace proa::api {
namespace {

[[noreturn]] void invalid() { throw Error(ErrorKind::InvalidArgument, "invalid filter"); }

constexpr std::size_t kMaxValues = 10000;

// True where pattern "k" or "k=v" holds of the labels.
bool has_label(const std::map<std::string, std::string>& labels, const std::string& pattern) {
  auto [key, value] = cut(pattern, '=');
  auto it = labels.find(std::string(key));
  return it != labels.end() && (!value || it->second == *value);
}

bool regex_matches(const std::string& pattern, const std::string& text) {
  regex_t compiled;
  if (regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
  bool found = regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
  regfree(&compiled);
  return found;
}

}  // namespace

Filters Filters::parse(std::string_view text) {
  Filters filters;
  if (trim(text).empty()) return filters;
  Json document;
  try {
    document = json::parse(text, {.depth = 8});
  } catch (const Error&) {
    invalid();
  }
  if (document.is_null()) return filters;
  if (!document.is_object()) invalid();
  std::size_t count = 0;
  for (const auto& [key, values] : document.get_object()) {
    std::set<std::string>& set = filters.values_[std::string(key)];
    if (values.is_array()) {
      for (const Json& value : values.get_array()) {
        if (!value.is_string() || ++count > kMaxValues) invalid();
        set.insert(std::string(std::string_view(value.get_string())));
      }
    } else if (values.is_object()) {
      for (const auto& [value, on] : values.get_object()) {
        if (!on.is_bool() || ++count > kMaxValues) invalid();
        if (on.get_bool()) set.insert(std::string(value));
      }
    } else {
      invalid();
    }
    if (set.empty()) filters.values_.erase(std::string(key));
  }
  return filters;
}

std::string Filters::text() const {
  if (values_.empty()) return "";
  JsonObject object;
  for (const auto& [key, values] : values_) {
    JsonObject set;
    for (const std::string& value : values) set[value] = true;
    object[key] = std::move(set);
  }
  return json::text(object);
}

const std::set<std::string>& Filters::get(std::string_view key) const {
  static const std::set<std::string> none;
  auto it = values_.find(key);
  return it == values_.end() ? none : it->second;
}

void Filters::check(std::initializer_list<std::string_view> known) const {
  for (const auto& [key, values] : values_) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      throw Error(ErrorKind::InvalidArgument, cat("invalid filter '", key, "'"));
    }
  }
}

bool Filters::any(std::string_view key, const std::function<bool(const std::string&)>& f) const {
  const std::set<std::string>& values = get(key);
  return values.empty() || std::any_of(values.begin(), values.end(), f);
}

bool Filters::matches_exactly(std::string_view key, std::string_view value) const {
  return any(key, [&](const std::string& wanted) { return wanted == value; });
}

bool Filters::matches_prefix(std::string_view key, std::string_view value) const {
  return any(key, [&](const std::string& wanted) { return value.starts_with(wanted); });
}

bool Filters::matches_pattern(std::string_view key, std::string_view value) const {
  std::string text(value);
  return any(key, [&](const std::string& pattern) { return pattern == value || regex_matches(pattern, text); });
}

bool Filters::matches_annotations(const std::map<std::string, std::string>& annotations) const {
  const std::set<std::string>& wanted = get("annotation");
  return std::all_of(wanted.begin(), wanted.end(),
                     [&](const std::string& pattern) { return has_label(annotations, pattern); });
}

bool Filters::matches_labels(const std::map<std::string, std::string>& labels) const {
  auto holds = [&](const std::string& pattern) { return has_label(labels, pattern); };
  const std::set<std::string>&with = get("label"), &without = get("label!");
  return std::all_of(with.begin(), with.end(), holds) && std::none_of(without.begin(), without.end(), holds);
}

bool Filters::boolean(std::string_view key, bool otherwise) const {
  const std::set<std::string>& values = get(key);
  if (values.empty()) return otherwise;
  auto is = [&](std::initializer_list<const char*> words) {
    return std::any_of(words.begin(), words.end(), [&](const char* word) { return values.contains(word); });
  };
  bool yes = is({"1", "true"}), no = is({"0", "false"});
  if (yes != no) return yes;
  std::vector<std::string> list(values.begin(), values.end());
  throw Error(ErrorKind::InvalidArgument, cat("invalid filter '", key, "=[", join(list, " "), "]'"));
}

}  // namespace proa::api
