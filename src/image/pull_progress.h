// docker's progress messages of a pull or push: in order, one thread at a time, byte counts at most ten times a second
// per layer.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "image/pull.h"

namespace proa::image {

class PullProgress {
 public:
  explicit PullProgress(const Progress& sink) : sink_(sink) {}

  void say(std::string status, std::string layer = "");
  void say_of_tag(std::string status, std::string tag);
  // "Downloading" or "Extracting" so far; the first one and the last one are always sent.
  void count(const std::string& status, const std::string& id, std::uint64_t current, std::uint64_t total);

 private:
  const Progress& sink_;
  std::mutex mutex_;
  std::map<std::string, std::int64_t> last_;  // per status and id, monotonic
};

}  // namespace proa::image
