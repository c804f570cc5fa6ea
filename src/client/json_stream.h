// JSON documents one behind the other, in pieces of any size (progress, events, stats).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace proa::client {

class JsonStream {
 public:
  void push(std::string_view bytes) { pending_ += bytes; }
  // The next whole document. Throws InvalidArgument for what is no JSON.
  std::optional<Json> next();

 private:
  std::string pending_;
  std::size_t scanned_ = 0;
  int depth_ = 0;
  bool in_string_ = false, escaped_ = false;
};

}  // namespace proa::client
