#include "volume/copy_up.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "os/file.h"

namespace proa::volume {
namespace {

constexpr int kMaxDepth = 1000;

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

std::unique_ptr<DIR, CloseDir> entries_of(int dirfd) {
  os::Fd again = os::open_at(dirfd, ".", O_RDONLY | O_DIRECTORY);
  std::unique_ptr<DIR, CloseDir> dir(::fdopendir(again.get()));
  if (!dir) os::fail("fdopendir");
  again.release();
  return dir;
}

void copy_xattrs(int from, int to) {
  std::vector<char> names(64 << 10);
  ssize_t size = ::flistxattr(from, names.data(), names.size());
  std::vector<char> value(64 << 10);
  for (ssize_t at = 0; at < size; at += static_cast<ssize_t>(std::strlen(&names[static_cast<std::size_t>(at)])) + 1) {
    const char* name = &names[static_cast<std::size_t>(at)];
    if (std::strncmp(name, "trusted.overlay.", 16) == 0) continue;
    ssize_t length = ::fgetxattr(from, name, value.data(), value.size());
    if (length >= 0 && ::fsetxattr(to, name, value.data(), static_cast<std::size_t>(length), 0) < 0 &&
        errno != ENOTSUP && errno != EPERM) {
      os::fail(std::string("setxattr ") + name);
    }
  }
}

void copy_bytes(int from, int to) {
  for (;;) {
    ssize_t n = ::copy_file_range(from, nullptr, to, nullptr, 64 << 20, 0);
    if (n == 0) return;
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) os::fail("copy_file_range");
      break;
    }
  }
  std::vector<char> buffer(256 << 10);
  for (;;) {
    ssize_t n = ::read(from, buffer.data(), buffer.size());
    if (n == 0) return;
    if (n < 0 && errno == EINTR) continue;
    os::check(n, "read");
    os::write_all(to, std::string_view(buffer.data(), static_cast<std::size_t>(n)));
  }
}

void own(int to_dir, const char* name, const struct stat& info) {
  os::check(::fchownat(to_dir, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW), name);
  timespec times[2] = {info.st_atim, info.st_mtim};
  ::utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW);
}

void copy_dir(int from, int to, int depth);

void copy_entry(int from_dir, int to_dir, const char* name, int depth) {
  struct stat info {};
  os::check(::fstatat(from_dir, name, &info, AT_SYMLINK_NOFOLLOW), name);
  if (S_ISDIR(info.st_mode)) {
    os::check(::mkdirat(to_dir, name, 0700), name);
    os::Fd source = os::open_at(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    os::Fd target = os::open_at(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    copy_dir(source.get(), target.get(), depth + 1);
    copy_attributes(source.get(), target.get());
  } else if (S_ISREG(info.st_mode)) {
    os::Fd source = os::open_at(from_dir, name, O_RDONLY | O_NOFOLLOW);
    os::Fd target = os::open_at(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    copy_bytes(source.get(), target.get());
    copy_attributes(source.get(), target.get());
  } else if (S_ISLNK(info.st_mode)) {
    std::string link(4096, '\0');
    auto length = os::check(::readlinkat(from_dir, name, link.data(), link.size()), name);
    link.resize(static_cast<std::size_t>(length));
    os::check(::symlinkat(link.c_str(), to_dir, name), name);
    own(to_dir, name, info);
  } else if (::mknodat(to_dir, name, info.st_mode, info.st_rdev) == 0) {
    own(to_dir, name, info);
    ::fchmodat(to_dir, name, info.st_mode & 07777, 0);
  }
}

void copy_dir(int from, int to, int depth) {
  if (depth > kMaxDepth)
    throw Error(ErrorKind::InvalidArgument, "copying into a volume: directories are nested too deeply");
  auto dir = entries_of(from);
  while (dirent* entry = ::readdir(dir.get())) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") copy_entry(from, to, entry->d_name, depth);
  }
}

}  // namespace

bool is_empty_dir(int dirfd) {
  auto dir = entries_of(dirfd);
  while (dirent* entry = ::readdir(dir.get())) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") return false;
  }
  return true;
}

void copy_attributes(int from, int to) {
  struct stat info {};
  os::check(::fstat(from, &info), "stat");
  os::check(::fchown(to, info.st_uid, info.st_gid), "chown");
  os::check(::fchmod(to, info.st_mode & 07777), "chmod");  // after chown, which clears set-ID bits
  copy_xattrs(from, to);
  timespec times[2] = {info.st_atim, info.st_mtim};
  ::futimens(to, times);
}

void copy_tree(int from, int to) { copy_dir(from, to, 0); }

}  // namespace proa::volume
