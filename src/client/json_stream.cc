#include "client/json_stream.h"

#include <algorithm>

namespace proa::client {

std::optional<Json> JsonStream::next() {
  if (scanned_ == 0) {
    std::size_t start = pending_.find_first_not_of(" \t\r\n\x1e");
    pending_.erase(0, std::min(start, pending_.size()));
    if (!pending_.empty() && pending_[0] != '{' && pending_[0] != '[') {
      throw Error(ErrorKind::InvalidArgument, "the daemon's answer is no JSON stream");
    }
  }
  for (; scanned_ < pending_.size(); ++scanned_) {
    char c = pending_[scanned_];
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if ((c == '}' || c == ']') && --depth_ == 0) {
      Json document = json::parse(std::string_view(pending_).substr(0, scanned_ + 1));
      pending_.erase(0, scanned_ + 1);
      scanned_ = 0;
      return document;
    }
  }
  return std::nullopt;
}

}  // namespace proa::client
