#include "volume/populate.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/failpoint.h"
#include "base/rollback.h"
#include "base/text.h"
#include "os/file.h"
#include "volume/copy_up.h"

namespace proa::volume {
namespace {

constexpr std::string_view kCopying = "/copying", kCopied = "/copied", kData = "/_data";

os::Fd open_directory(const std::string& path) { return os::open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW); }

dev_t device_of(int file) {
  struct stat info {};
  os::check(::fstat(file, &info), "stat");
  return info.st_dev;
}

// The copy, durable under its second name.
void make_copy(const std::string& directory, int source) {
  std::string copying = cat(directory, kCopying);
  os::remove_tree(copying);
  Rollback rollback;
  rollback.add([&] { os::remove_tree(copying); });
  os::make_dir(copying, 0700);
  {
    os::Fd copy = open_directory(copying);
    copy_tree(source, copy.get());
    copy_attributes(source, copy.get());
    os::check(::syncfs(copy.get()), "syncfs");
  }
  FAILPOINT("volume.populate.copied");
  os::rename_path(copying, cat(directory, kCopied));
  rollback.commit();
  os::fsync_dir(directory);
}

// What somebody mounted on _data cannot be renamed into: all or nothing as long as the daemon lives.
void copy_in_place(const std::string& data, int source, int target) {
  Rollback rollback;
  rollback.add([&] {
    for (const auto& entry : os::list_dir(data)) os::remove_tree(os::path_join(data, entry));
  });
  copy_tree(source, target);
  copy_attributes(source, target);
  rollback.commit();
}

}  // namespace

void populate(const std::string& directory, int source) {
  finish_populating(directory);
  std::string data = cat(directory, kData);
  os::Fd target = open_directory(data);
  if (!is_empty_dir(target.get())) return;
  if (is_empty_dir(source)) return copy_attributes(source, target.get());
  if (device_of(target.get()) != device_of(open_directory(directory).get()))
    return copy_in_place(data, source, target.get());
  make_copy(directory, source);
  finish_populating(directory);
}

void finish_populating(const std::string& directory) {
  os::remove_tree(cat(directory, kCopying));
  std::string copied = cat(directory, kCopied);
  if (!os::exists(copied)) return;
  os::Fd from = open_directory(copied), to = open_directory(cat(directory, kData));
  for (const auto& name : os::list_dir(copied)) {
    FAILPOINT("volume.populate.move");
    if (::renameat2(from.get(), name.c_str(), to.get(), name.c_str(), RENAME_NOREPLACE) < 0 && errno != EEXIST)
      os::fail(cat("rename ", copied, "/", name));
  }
  copy_attributes(from.get(), to.get());
  os::remove_tree(copied);
}

}  // namespace proa::volume
