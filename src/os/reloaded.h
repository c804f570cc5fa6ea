// What was made of files, made again once the files change: certificates, passwords.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "os/file.h"

namespace proa::os {

// By which a change is known: device, inode, size and times of each file, links followed; zeros where there is none.
std::vector<struct stat> stats_of(const std::vector<std::string>& files);
bool are_same(const std::vector<struct stat>& a, const std::vector<struct stat>& b);

template <class T>
class Reloaded {
 public:
  // Throws what `make` throws.
  Reloaded(std::vector<std::string> files, std::function<std::shared_ptr<T>()> make)
      : files_(std::move(files)), make_(std::move(make)), seen_(stats_of(files_)), value_(make_()) {}

  // Looks at the files each time. Where `make` fails on changed ones what was made before stays, and the reason is
  // logged, once for each change: files that belong together change one after the other.
  std::shared_ptr<T> get() {
    auto there = stats_of(files_);
    std::lock_guard guard(mutex_);
    if (are_same(there, seen_)) return value_;
    seen_ = std::move(there);
    try {
      value_ = make_();
      log::info("changed files were read again", {{"files", join(files_, " ")}});
    } catch (const Error& error) {
      log::warn("changed files cannot be used; what was read before stays", {{"error", error.what()}});
    }
    return value_;
  }

 private:
  std::vector<std::string> files_;
  std::function<std::shared_ptr<T>()> make_;
  std::mutex mutex_;
  std::vector<struct stat> seen_;
  std::shared_ptr<T> value_;
};

}  // namespace proa::os
