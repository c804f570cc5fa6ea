#include "os/file_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <set>

#include "base/text.h"
#include "os/fd.h"

namespace proa::os {

namespace {

using Visit = std::function<void(const std::string&, const struct stat&)>;

// `device`: of the file system that is walked; 0: of what is met first.
void walk(int directory, const std::string& name, const std::string& path, dev_t device, const Visit& visit) {
  struct stat info {};
  if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) return;
  if (device != 0 && info.st_dev != device) return;
  visit(path, info);
  if (!S_ISDIR(info.st_mode)) return;
  Fd child(::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!child) return;
  int handle = child.duplicate().release();
  DIR* dir = ::fdopendir(handle);
  if (!dir) {
    ::close(handle);
    return;
  }
  while (dirent* entry = ::readdir(dir)) {
    std::string below = entry->d_name;
    if (below != "." && below != "..")
      walk(child.get(), below, path.empty() ? below : cat(path, "/", below), info.st_dev, visit);
  }
  ::closedir(dir);
}

// Tells the names of one file apart from several files.
class Once {
 public:
  bool first(const struct stat& info) {
    return S_ISDIR(info.st_mode) || info.st_nlink < 2 || seen_.emplace(info.st_dev, info.st_ino).second;
  }

 private:
  std::set<std::pair<dev_t, ino_t>> seen_;
};

}  // namespace

void walk_files(std::string_view root, const Visit& visit) { walk(AT_FDCWD, std::string(root), "", 0, visit); }

std::uint64_t disk_usage(std::string_view path) {
  std::uint64_t total = 0;
  Once once;
  walk_files(path, [&](const std::string&, const struct stat& info) {
    if (!S_ISDIR(info.st_mode) && once.first(info)) total += static_cast<std::uint64_t>(info.st_size);
  });
  return total;
}

std::uint64_t disk_blocks(std::string_view path) {
  constexpr std::uint64_t kBlock = 512;  // stat(2): whatever the file system's is
  std::uint64_t total = 0;
  Once once;
  walk_files(path, [&](const std::string&, const struct stat& info) {
    if (once.first(info)) total += static_cast<std::uint64_t>(info.st_blocks) * kBlock;
  });
  return total;
}

}  // namespace proa::os
