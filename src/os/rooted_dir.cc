#include "os/rooted_dir.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "base/time.h"
#include "os/file.h"
#include "os/root_walk.h"

namespace proa::os {
namespace {

// openat2(2) in the root; -1 and errno on failure. EAGAIN means that a rename or a mount, anywhere, raced with a walk
// over "..": it is tried again for a bounded time, then walked by steps, which none disturbs.
int open_in_root(int root, std::string_view path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<__u64>(static_cast<unsigned>(flags | O_CLOEXEC));
  how.mode = flags & O_CREAT ? mode : 0;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  std::string name = path.empty() ? "." : std::string(path);
  auto deadline = monotonic_now() + 20 * kMillisecond;
  for (;;) {
    int fd = static_cast<int>(::syscall(SYS_openat2, root, name.c_str(), &how, sizeof how));
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {  // an older kernel, or a filter of those around us
      return walk_in_root(root, name, flags, mode);
    }
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return fd;
    if (monotonic_now() > deadline) return walk_in_root(root, name, flags, mode);
  }
}

}  // namespace

RootedDir RootedDir::open(std::string_view path) { return RootedDir(open_file(path, O_PATH | O_DIRECTORY)); }

Fd RootedDir::open_at(std::string_view path, int flags, mode_t mode) const {
  int fd = open_in_root(root_.get(), path, flags, mode);
  if (fd < 0) fail(cat("open ", path));
  return Fd(fd);
}

std::optional<Fd> RootedDir::try_open_at(std::string_view path, int flags) const {
  int fd = open_in_root(root_.get(), path, flags, 0);
  if (fd >= 0) return Fd(fd);
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  fail(cat("open ", path));
}

RootedDir::Place RootedDir::place(std::string_view path) const {
  while (path.ends_with('/')) path.remove_suffix(1);
  auto at = path.rfind('/');
  std::string_view name = at == std::string_view::npos ? path : path.substr(at + 1);
  std::string_view parent = at == std::string_view::npos ? std::string_view() : path.substr(0, at);
  if (name.empty() || name == "." || name == "..") {
    throw Error(ErrorKind::InvalidArgument, cat("path ", quoted(path), " names no file"));
  }
  return {open_at(parent, O_PATH | O_DIRECTORY), std::string(name)};
}

Fd RootedDir::make_dirs(std::string_view path, mode_t mode) const {
  if (auto there = try_open_at(path, O_PATH | O_DIRECTORY)) return std::move(*there);
  std::string done;
  for (const auto& part : split(clean_path(cat("/", path)), '/')) {
    if (part.empty()) continue;
    std::string next = cat(done, "/", part);
    if (auto there = try_open_at(next, O_PATH)) {
      done = next;
      continue;
    }
    Fd parent = open_at(done, O_PATH | O_DIRECTORY);
    if (::mkdirat(parent.get(), part.c_str(), mode) < 0 && errno != EEXIST) fail(cat("mkdir ", next));
    done = next;
  }
  return open_at(path, O_PATH | O_DIRECTORY);
}

std::optional<struct stat> RootedDir::try_stat(std::string_view path) const {
  auto fd = try_open_at(path, O_PATH | O_NOFOLLOW);
  if (!fd) return std::nullopt;
  struct stat info {};
  check(::fstat(fd->get(), &info), cat("stat ", path));
  return info;
}

std::optional<struct stat> RootedDir::try_stat_followed(std::string_view path) const {
  auto fd = try_open_at(path, O_PATH);
  if (!fd) return std::nullopt;
  struct stat info {};
  check(::fstat(fd->get(), &info), cat("stat ", path));
  return info;
}

std::string RootedDir::read_file(std::string_view path, std::size_t limit) const {
  Fd fd = open_at(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat info {};
  check(::fstat(fd.get(), &info), cat("stat ", path));
  if (!S_ISREG(info.st_mode)) throw Error(ErrorKind::InvalidArgument, cat(path, " is no regular file"));
  return in_context(path, [&] { return read_all(fd.get(), limit); });
}

}  // namespace proa::os
