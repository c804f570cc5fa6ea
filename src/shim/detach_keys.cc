#include "shim/detach_keys.h"

#include "base/error.h"
#include "base/text.h"

namespace proa::shim {

std::string parse_detach_keys(std::string_view text) {
  std::string out;
  for (const auto& key : split(text, ',')) {
    if (key.size() == 1) {
      out += key[0];
    } else if (key == "DEL") {
      out += '\x7f';
    } else if (key.starts_with("ctrl-") && key.size() == 6) {
      char letter = key[5];
      if (letter >= 'a' && letter <= 'z') {
        out += static_cast<char>(letter - 'a' + 1);
      } else if (auto at = std::string_view("@[\\]^_").find(letter); at != std::string_view::npos) {
        constexpr char kCodes[] = {0, 27, 28, 29, 30, 31};
        out += kCodes[at];
      } else {
        throw Error(ErrorKind::InvalidArgument, cat("Unknown character: '", key, "'"));
      }
    } else {
      throw Error(ErrorKind::InvalidArgument, cat("Unknown character: '", key, "'"));
    }
  }
  return out;
}

DetachKeys::Found DetachKeys::feed(std::string_view input) {
  Found found;
  if (keys_.empty()) {
    found.pass = input;
    return found;
  }
  for (char byte : input) {
    for (;;) {
      if (byte == keys_[matched_]) {
        ++matched_;
        break;
      }
      if (matched_ == 0) {
        found.pass += byte;
        break;
      }
      // The longest end of what was held back that may still begin the sequence stays; the rest was ordinary input.
      std::size_t keep = matched_ - 1;
      std::string_view held = std::string_view(keys_).substr(0, matched_);
      while (keep > 0 && held.substr(matched_ - keep) != held.substr(0, keep)) --keep;
      found.pass += held.substr(0, matched_ - keep);
      matched_ = keep;
    }
    if (matched_ == keys_.size()) {
      matched_ = 0;
      found.detached = true;
      return found;
    }
  }
  return found;
}

}  // namespace proa::shim
