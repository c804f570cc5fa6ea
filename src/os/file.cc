#include "os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/id.h"
#include "base/text.h"

namespace proa::os {

Fd open_at(int dirfd, std::string_view path, int flags, mode_t mode) {
  std::string name(path);
  int fd;
  do {
    fd = ::openat(dirfd, name.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) fail(cat("open ", path));
  return Fd(fd);
}

Fd open_file(std::string_view path, int flags, mode_t mode) { return open_at(AT_FDCWD, path, flags, mode); }

std::optional<Fd> try_open(std::string_view path, int flags) {
  try {
    return open_file(path, flags);
  } catch (const Error& error) {
    if (error.errno_code() == ENOENT || error.errno_code() == ENOTDIR) return std::nullopt;
    throw;
  }
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    bytes.remove_prefix(static_cast<std::size_t>(check(done, "write")));
  }
}

std::string read_all(int fd, std::size_t limit) {
  std::string out;
  char buffer[16384];
  for (;;) {
    ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (check(got, "read") == 0) return out;
    out.append(buffer, static_cast<std::size_t>(got));
    if (out.size() > limit) throw Error(ErrorKind::InvalidArgument, cat("file is larger than ", limit, " bytes"));
  }
}

std::string read_file(std::string_view path, std::size_t limit) {
  Fd fd = open_file(path, O_RDONLY);
  return in_context(path, [&] { return read_all(fd.get(), limit); });
}

std::optional<std::string> try_read_file(std::string_view path, std::size_t limit) {
  auto fd = try_open(path, O_RDONLY);
  if (!fd) return std::nullopt;
  return in_context(path, [&] { return read_all(fd->get(), limit); });
}

void write_file(std::string_view path, std::string_view bytes, mode_t mode) {
  Fd fd = open_file(path, O_WRONLY | O_CREAT, mode);
  in_context(path, [&] { write_all(fd.get(), bytes); });
  // Not by O_TRUNC: a file that was emptied is written to disk when it is closed (ext4(5), auto_da_alloc).
  struct stat status {};
  check(::fstat(fd.get(), &status), cat("stat ", path));
  if (S_ISREG(status.st_mode) && status.st_size > static_cast<off_t>(bytes.size()))
    in_context(path, [&] { check(::ftruncate(fd.get(), static_cast<off_t>(bytes.size())), "truncate"); });
}

namespace {

enum class Durable { No, Yes };

void publish(std::string_view path, std::string_view bytes, mode_t mode, Durable durable) {
  std::string staged = cat(path, ".tmp-", random_u64());
  Fd fd = open_file(staged, O_WRONLY | O_CREAT | O_EXCL, mode);
  try {
    in_context(path, [&] {
      write_all(fd.get(), bytes);
      if (durable == Durable::Yes) fsync_fd(fd.get(), path);
      rename_path(staged, path);
    });
  } catch (...) {
    ::unlink(staged.c_str());
    throw;
  }
  if (durable == Durable::Yes) fsync_dir(dir_name(path));
}

}  // namespace

void write_file_atomic(std::string_view path, std::string_view bytes, mode_t mode) {
  publish(path, bytes, mode, Durable::Yes);
}
void replace_file(std::string_view path, std::string_view bytes, mode_t mode) {
  publish(path, bytes, mode, Durable::No);
}

void fsync_fd(int fd, std::string_view name) { check(::fsync(fd), cat("fsync ", name)); }

void fsync_dir(std::string_view path) {
  Fd dir = open_file(path, O_RDONLY | O_DIRECTORY);
  fsync_fd(dir.get(), path);
}

bool exists(std::string_view path) { return ::access(std::string(path).c_str(), F_OK) == 0; }

void make_dir(std::string_view path, mode_t mode) {
  if (::mkdir(std::string(path).c_str(), mode) < 0 && errno != EEXIST) fail(cat("mkdir ", path));
}

void spread_subdirectories(std::string_view path) {
  Fd dir = open_file(path, O_RDONLY | O_DIRECTORY);
  int flags = 0;
  if (::ioctl(dir.get(), FS_IOC_GETFLAGS, &flags) < 0 || flags & FS_TOPDIR_FL) return;
  flags |= FS_TOPDIR_FL;
  ::ioctl(dir.get(), FS_IOC_SETFLAGS, &flags);
}

void make_dirs(std::string_view path, mode_t mode) {
  if (path.empty() || path == "/" || exists(path)) return;
  make_dirs(dir_name(path), mode);
  make_dir(path, mode);
}

void rename_path(std::string_view from, std::string_view to) {
  check(::rename(std::string(from).c_str(), std::string(to).c_str()), cat("rename ", from, " to ", to));
}

void link_file(std::string_view file, std::string_view name) {
  check(::link(std::string(file).c_str(), std::string(name).c_str()), cat("link ", file, " to ", name));
}

void remove_file(std::string_view path) {
  if (::unlink(std::string(path).c_str()) < 0 && errno != ENOENT) fail(cat("unlink ", path));
}

namespace {

// Depth-first without recursion on paths: works on dirfds, so depth is bounded by descriptors, not by PATH_MAX.
// Deep trees are flattened first: a directory below depth 64 is moved up to the top before it is emptied.
void remove_below(int top, int dirfd, int depth, dev_t device) {
  Fd copy(check(::openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open directory"));
  DIR* dir = ::fdopendir(copy.get());
  if (!dir) fail("fdopendir");
  copy.release();
  struct Closer {
    DIR* dir;
    ~Closer() { ::closedir(dir); }
  } closer{dir};
  while (dirent* entry = ::readdir(dir)) {
    std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (::unlinkat(dirfd, entry->d_name, 0) == 0 || errno == ENOENT) continue;
    if (errno != EISDIR && errno != EPERM) fail(cat("unlink ", name));
    if (depth >= 64) {
      std::string moved = cat(".deep-", random_u64());
      check(::renameat(dirfd, entry->d_name, top, moved.c_str()), cat("rename ", name));
      continue;
    }
    Fd child(::openat(dirfd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child) fail(cat("open ", name));
    struct stat info {};
    check(::fstat(child.get(), &info), "fstat");
    if (info.st_dev != device) throw Error(ErrorKind::Conflict, cat(name, " is a mount point"));
    remove_below(top, child.get(), depth + 1, device);
    if (::unlinkat(dirfd, entry->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
      fail(cat("rmdir ", name));
    }
  }
}

}  // namespace

void remove_tree(std::string_view path) {
  std::string name(path);
  if (::unlink(name.c_str()) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) fail(cat("unlink ", path));
  in_context(cat("remove ", path), [&] {
    for (int attempt = 0;; ++attempt) {
      Fd top = open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      struct stat info {};
      check(::fstat(top.get(), &info), "fstat");
      remove_below(top.get(), top.get(), 0, info.st_dev);
      if (::rmdir(name.c_str()) == 0 || errno == ENOENT) return;
      if (errno != ENOTEMPTY || attempt > 100000) fail(cat("rmdir ", path));  // not empty: moved up from the deep
    }
  });
}

std::vector<std::string> list_dir(std::string_view path) {
  DIR* dir = ::opendir(std::string(path).c_str());
  if (!dir) fail(cat("open directory ", path));
  std::vector<std::string> names;
  while (dirent* entry = ::readdir(dir)) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

std::string path_join(std::string_view a, std::string_view b) {
  if (a.empty()) return std::string(b);
  while (!b.empty() && b.front() == '/') b.remove_prefix(1);
  if (b.empty()) return std::string(a);
  return a.back() == '/' ? cat(a, b) : cat(a, '/', b);
}

std::string clean_path(std::string_view path) {
  bool rooted = path.starts_with('/');
  std::vector<std::string> kept;
  for (auto& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." && !kept.empty() && kept.back() != "..") {
      kept.pop_back();
    } else if (part != ".." || !rooted) {
      kept.push_back(std::move(part));
    }
  }
  std::string out = (rooted ? "/" : "") + join(kept, "/");
  return out.empty() ? "." : out;
}

std::string_view base_name(std::string_view path) {
  auto at = path.rfind('/');
  return at == std::string_view::npos ? path : path.substr(at + 1);
}

std::string_view dir_name(std::string_view path) {
  auto at = path.rfind('/');
  if (at == std::string_view::npos) return ".";
  return at == 0 ? path.substr(0, 1) : path.substr(0, at);
}

}  // namespace proa::os
