// A stack of undo steps: what was done is undone in reverse unless commit() is called.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace proa {

class Rollback {
 public:
  Rollback() = default;
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;
  ~Rollback() { run(); }

  // `undo` may throw; what it says is added to the message of failure(), or dropped in the destructor.
  void add(std::function<void()> undo) { steps_.push_back(std::move(undo)); }
  void commit() { steps_.clear(); }

  // Undoes everything now; returns `cause` with what failed during that appended to its message.
  Error failure(const Error& cause) {
    std::string extra = run();
    return extra.empty() ? cause : Error(cause.kind(), cause.message() + extra, cause.errno_code());
  }

 private:
  std::string run() noexcept {
    std::string failures;
    while (!steps_.empty()) {
      auto step = std::move(steps_.back());
      steps_.pop_back();
      try {
        step();
      } catch (const std::exception& error) {
        failures += std::string(" (and while cleaning up: ") + error.what() + ")";
      }
    }
    return failures;
  }

  std::vector<std::function<void()>> steps_;
};

}  // namespace proa
