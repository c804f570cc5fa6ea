// Users by htpasswd -B: name:bcrypt lines.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace proa::registry_server {

class Htpasswd {
 public:
  // Throws InvalidArgument for a line that is no bcrypt entry: weaker hashes are not taken.
  explicit Htpasswd(std::string_view text);
  // Of an Authorization header: "Basic ...".
  bool admits(std::string_view authorization) const;
  bool knows(const std::string& user) const { return users_.contains(user); }

 private:
  std::map<std::string, std::string> users_;
  mutable std::mutex mutex_;
  mutable std::set<std::string> proved_;  // digests of headers that were right: bcrypt is slow on purpose
};

}  // namespace proa::registry_server
