// What a pull says while it runs, as docker shows it: bars on a terminal, lines elsewhere.
#pragma once

#include <map>
#include <string>

#include "base/json.h"

namespace proa::cli {

// "[====>   ]  12.3MB/96MB"; "" where there is nothing to tell. `width`: columns of the terminal.
std::string progress_bar(std::int64_t current, std::int64_t total, int width);

// "12.3MB/s 8s" after `nanoseconds`; "" where that says nothing yet.
std::string pace_text(std::int64_t done, std::int64_t left, std::int64_t nanoseconds);

class ProgressView {
 public:
  // Writes to `fd`.
  ProgressView(int fd, bool terminal, int width) : fd_(fd), terminal_(terminal), width_(width) {}
  explicit ProgressView(int fd);
  // One message of the stream. Throws Error where it is the operation's failure.
  void show(const Json& message);

 private:
  // " 12.3MB/s 8s": the line's rate since it began, and what is left of it; "" in its first moments.
  std::string pace(const std::string& id, const std::string& status, std::int64_t current, std::int64_t total);

  struct Pace {
    std::string status;
    std::int64_t since = 0, first = 0;
  };
  int fd_;
  bool terminal_;
  int width_;
  std::map<std::string, std::size_t> lines_;
  std::map<std::string, Pace> paces_;
};

}  // namespace proa::cli
