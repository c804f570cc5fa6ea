// What requests and responses have in common: headers, queries, targets.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace proa::http {

// Names compare without case; kept in the order in which they came.
class Headers {
 public:
  void add(std::string_view name, std::string_view value) { list_.emplace_back(name, value); }
  void set(std::string_view name, std::string_view value);
  // The first; nullopt if there is none.
  std::optional<std::string_view> find(std::string_view name) const;
  std::string_view get(std::string_view name) const { return find(name).value_or(std::string_view()); }
  // True if the comma-separated list in this header (all of them) holds `token`, without case.
  bool has_token(std::string_view name, std::string_view token) const;
  const std::vector<std::pair<std::string, std::string>>& list() const { return list_; }

 private:
  std::vector<std::pair<std::string, std::string>> list_;
};

// %xx and, in queries, '+'. nullopt for a broken escape or a NUL.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank);
std::string percent_encode(std::string_view text);  // all but unreserved characters

class Query {
 public:
  static Query parse(std::string_view text);  // throws InvalidArgument
  void add(std::string_view name, std::string_view value) { list_.emplace_back(name, value); }
  std::string get(std::string_view name) const;  // the first, "" if there is none
  bool has(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  // Docker's booleans: missing, "", 0, no, false, none are false, anything else is true.
  bool boolean(std::string_view name) const;
  bool boolean_or(std::string_view name, bool otherwise) const;  // `otherwise` if missing
  std::string text() const;                                      // "a=b&c=d", encoded
  bool empty() const { return list_.empty(); }

 private:
  std::vector<std::pair<std::string, std::string>> list_;
};

}  // namespace proa::http
