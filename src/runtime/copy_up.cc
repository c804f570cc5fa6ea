#include "runtime/copy_up.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "base/text.h"
#include "os/fd.h"
#include "os/file.h"

namespace proa::runtime {
namespace {

constexpr int kDeepest = 200;

std::vector<std::string> names_in(int directory) {
  os::Fd own = os::open_at(directory, ".", O_RDONLY | O_DIRECTORY);
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), &::closedir);
  if (!stream) os::fail("fdopendir");
  own.release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  return names;
}

void copy_bytes(int from, int to) {
  for (;;) {
    auto sent = ::sendfile(to, from, nullptr, 1 << 20);
    if (sent == 0) return;
    if (sent < 0 && errno != EINTR) os::fail("tmpcopyup");
  }
}

void copy_attributes(int to, const std::string& name, const struct stat& info) {
  os::check(::fchownat(to, name.c_str(), info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW), cat("chown ", name));
  if (!S_ISLNK(info.st_mode)) os::check(::fchmodat(to, name.c_str(), info.st_mode & 07777, 0), cat("chmod ", name));
  timespec times[2] = {info.st_atim, info.st_mtim};
  ::utimensat(to, name.c_str(), times, AT_SYMLINK_NOFOLLOW);
}

void copy_entries(int from, int to, int depth);

void copy_entry(int from, int to, const std::string& name, int depth) {
  struct stat info {};
  os::check(::fstatat(from, name.c_str(), &info, AT_SYMLINK_NOFOLLOW), cat("stat ", name));
  if (S_ISDIR(info.st_mode)) {
    os::check(::mkdirat(to, name.c_str(), 0700), cat("mkdir ", name));
    os::Fd inner_from = os::open_at(from, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    os::Fd inner_to = os::open_at(to, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    copy_entries(inner_from.get(), inner_to.get(), depth + 1);
  } else if (S_ISREG(info.st_mode)) {
    os::Fd source = os::open_at(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    os::Fd target(::openat(to, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!target) os::fail(cat("create ", name));
    copy_bytes(source.get(), target.get());
  } else if (S_ISLNK(info.st_mode)) {
    char text[4096];
    auto size = os::check(::readlinkat(from, name.c_str(), text, sizeof text), cat("readlink ", name));
    std::string link(text, static_cast<std::size_t>(size));
    os::check(::symlinkat(link.c_str(), to, name.c_str()), cat("symlink ", name));
  } else if (!S_ISSOCK(info.st_mode)) {
    os::check(::mknodat(to, name.c_str(), info.st_mode & (S_IFMT | 0700), info.st_rdev), cat("mknod ", name));
  } else {
    return;
  }
  copy_attributes(to, name, info);
}

void copy_entries(int from, int to, int depth) {
  if (depth > kDeepest) os::fail("tmpcopyup", ELOOP);
  for (const auto& name : names_in(from)) copy_entry(from, to, name, depth);
}

}  // namespace

void copy_up(int from, int to) { copy_entries(from, to, 0); }

}  // namespace proa::runtime
