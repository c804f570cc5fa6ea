#include "os/reloaded.h"

#include <algorithm>

namespace proa::os {

std::vector<struct stat> stats_of(const std::vector<std::string>& files) {
  std::vector<struct stat> out;
  for (const std::string& file : files) {
    struct stat info {};
    if (::stat(file.c_str(), &info) != 0) info = {};
    out.push_back(info);
  }
  return out;
}

bool are_same(const std::vector<struct stat>& a, const std::vector<struct stat>& b) {
  auto same_time = [](const timespec& x, const timespec& y) { return x.tv_sec == y.tv_sec && x.tv_nsec == y.tv_nsec; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const struct stat& x, const struct stat& y) {
    return x.st_dev == y.st_dev && x.st_ino == y.st_ino && x.st_size == y.st_size && same_time(x.st_mtim, y.st_mtim) &&
           same_time(x.st_ctim, y.st_ctim);
  });
}

}  // namespace proa::os
