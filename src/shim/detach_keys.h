// The key sequence by which a terminal's user leaves a container running ("ctrl-p,ctrl-q").
#pragma once

#include <string>
#include <string_view>

namespace proa::shim {

inline constexpr std::string_view kDefaultDetachKeys = "\x10\x11";

// "ctrl-p,ctrl-q" or "a,b" to bytes. Throws InvalidArgument with docker's words.
std::string parse_detach_keys(std::string_view text);

// Watches one client's input for the sequence, however its packets are cut.
class DetachKeys {
 public:
  explicit DetachKeys(std::string keys) : keys_(std::move(keys)) {}

  struct Found {
    std::string pass;       // what is for the process: a sequence begun and not finished is sent after all
    bool detached = false;  // the rest of the input is dropped
  };
  Found feed(std::string_view input);

 private:
  std::string keys_;
  std::size_t matched_ = 0;
};

}  // namespace proa::shim
