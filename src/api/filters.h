// The `filters` query parameter: {"label":["a=b"]} or the older {"label":{"a=b":true}}.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/json.h"

namespace proa::api {

class Filters {
 public:
  // Empty text is no filter. Throws InvalidArgument.
  static Filters parse(std::string_view text);
  // The newer form; "" if there are none.
  std::string text() const;

  void add(std::string_view key, std::string_view value) { values_[std::string(key)].insert(std::string(value)); }
  bool empty() const { return values_.empty(); }
  bool has(std::string_view key) const { return values_.contains(key); }
  const std::set<std::string>& get(std::string_view key) const;  // empty if there is none

  // Throws InvalidArgument "invalid filter 'x'" for a key that is not among `known`.
  void check(std::initializer_list<std::string_view> known) const;
  // True if there is no such filter or one of its values is `value`.
  bool matches_exactly(std::string_view key, std::string_view value) const;
  // The same, or one of its values is a prefix of `value` (ids).
  bool matches_prefix(std::string_view key, std::string_view value) const;
  // The same, or one of its values, read as a regular expression (POSIX extended), matches part of `value`.
  bool matches_pattern(std::string_view key, std::string_view value) const;
  // All "annotation" filters hold ("k" or "k=v").
  bool matches_annotations(const std::map<std::string, std::string>& annotations) const;
  // All "label" filters hold ("k" or "k=v") and no "label!" does.
  bool matches_labels(const std::map<std::string, std::string>& labels) const;
  // The one value of a boolean filter ("1", "true", "0", "false"); `otherwise` if it is not given. Throws
  // InvalidArgument "invalid filter 'dangling=[maybe]'".
  bool boolean(std::string_view key, bool otherwise) const;
  // Runs f on each value of the key; true if there is none, or f is true for one.
  bool any(std::string_view key, const std::function<bool(const std::string&)>& f) const;

 private:
  std::map<std::string, std::set<std::string>, std::less<>> values_;
};

}  // namespace proa::api
