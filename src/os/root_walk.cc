#include "os/root_walk.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "os/fd.h"

namespace proa::os {
namespace {

constexpr int kMaxLinks = 40;  // the kernel's own limit

class Walk {
 public:
  Walk(int root, std::string_view path, int flags, mode_t mode)
      : root_(root), flags_(flags | O_CLOEXEC), mode_(mode), left_(split(path, '/')) {
    std::reverse(left_.begin(), left_.end());
  }

  int run() {
    while (!left_.empty()) {
      std::string name = std::move(left_.back());
      left_.pop_back();
      if (name.empty() || name == ".") continue;
      if (name == "..") {
        if (!come_.empty()) come_.pop_back();
        continue;
      }
      if (auto result = step(name)) return *result;
    }
    return ::openat(here(), ".", flags_);  // it ended in a directory: "", "/", "a/.."
  }

 private:
  int here() const { return come_.empty() ? root_ : come_.back().get(); }
  static int no(int code) {
    errno = code;
    return -1;
  }

  // The result, if the walk ends here.
  std::optional<int> step(const std::string& name) {
    bool last = left_.empty();  // "a/" is not: it has to be a directory, and is followed
    Fd found(::openat(here(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!found) {
      if (errno != ENOENT || !last || !(flags_ & O_CREAT)) return -1;
      return ::openat(here(), name.c_str(), flags_ | O_NOFOLLOW, mode_);
    }
    struct stat info {};
    if (::fstat(found.get(), &info) < 0) return -1;
    bool as_it_is = last && ((flags_ & O_NOFOLLOW) || ((flags_ & O_CREAT) && (flags_ & O_EXCL)));
    if (S_ISLNK(info.st_mode) && !as_it_is) {
      if (!follow(found)) return -1;
      return std::nullopt;
    }
    if (last) return finish(name, std::move(found), info);
    if (!S_ISDIR(info.st_mode)) return no(ENOTDIR);
    come_.push_back(std::move(found));
    return std::nullopt;
  }

  int finish(const std::string& name, Fd found, const struct stat& info) const {
    if ((flags_ & O_PATH) == 0) return ::openat(here(), name.c_str(), flags_ | O_NOFOLLOW, mode_);
    if ((flags_ & O_DIRECTORY) && !S_ISDIR(info.st_mode)) return no(ENOTDIR);
    return found.release();
  }

  bool follow(const Fd& link) {
    if (++links_ > kMaxLinks || is_magic(link)) {
      errno = ELOOP;
      return false;
    }
    char target[4096];
    auto size = ::readlinkat(link.get(), "", target, sizeof target);
    if (size <= 0) {
      if (size == 0) errno = ENOENT;
      return false;
    }
    if (target[0] == '/') come_.clear();
    auto parts = split(std::string_view(target, static_cast<std::size_t>(size)), '/');
    left_.insert(left_.end(), parts.rbegin(), parts.rend());
    return true;
  }

  // Links of /proc that are no text but lead to an object: all but those in its top directory (self, mounts, net).
  bool is_magic(const Fd& link) const {
    struct statfs where {};
    if (::fstatfs(link.get(), &where) < 0 || where.f_type != PROC_SUPER_MAGIC) return false;
    struct stat parent {};
    constexpr ino_t kTopOfProc = 1;
    return ::fstat(here(), &parent) < 0 || parent.st_ino != kTopOfProc;
  }

  int root_, flags_;
  mode_t mode_;
  std::vector<std::string> left_;  // the next one last
  std::vector<Fd> come_;           // directories below the root that were gone through
  int links_ = 0;
};

}  // namespace

int walk_in_root(int root, std::string_view path, int flags, mode_t mode) {
  if (path.empty() || path.size() >= 4096) {
    errno = path.empty() ? ENOENT : ENAMETOOLONG;
    return -1;
  }
  return Walk(root, path, flags, mode).run();
}

}  // namespace proa::os
