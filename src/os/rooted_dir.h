// A directory that cannot be left: every path is resolved inside it by openat2(RESOLVE_IN_ROOT) (security.md, R1).
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>

#include "os/fd.h"

namespace proa::os {

class RootedDir {
 public:
  // Opens `path` itself without these rules: it is ours.
  static RootedDir open(std::string_view path);
  explicit RootedDir(Fd root) : root_(std::move(root)) {}

  int fd() const { return root_.get(); }

  // A path inside the root, links resolved as in a chroot; ".." at the top stays there. Throws, also for magic links.
  Fd open_at(std::string_view path, int flags, mode_t mode = 0) const;
  std::optional<Fd> try_open_at(std::string_view path, int flags) const;  // nullopt: there is no such file

  // The directory that holds the last component, links in the way resolved, and that component itself (never empty,
  // ".", ".." or with a slash). For mkdirat, unlinkat, symlinkat, linkat, mknodat with AT_SYMLINK_NOFOLLOW.
  struct Place {
    Fd parent;
    std::string name;
  };
  Place place(std::string_view path) const;

  // Every missing directory on the way, made 0755 root:root one component at a time; what exists is followed inside
  // the root. Returns the last one (O_PATH).
  Fd make_dirs(std::string_view path, mode_t mode = 0755) const;

  // stat of the last component, not followed (or followed inside the root); nullopt: there is no such file.
  std::optional<struct stat> try_stat(std::string_view path) const;
  std::optional<struct stat> try_stat_followed(std::string_view path) const;
  std::string read_file(std::string_view path, std::size_t limit) const;  // regular files only; never blocks on a FIFO

 private:
  Fd root_;
};

}  // namespace proa::os
