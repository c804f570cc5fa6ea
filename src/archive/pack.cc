// A directory tree into an archive, walked by descriptors.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <vector>

#include "archive/layer_entries.h"
#include "archive/xattr.h"
#include "base/text.h"
#include "os/file.h"

namespace proa::archive {
namespace {

constexpr std::size_t kChunk = 256 << 10;

class Packer {
 public:
  Packer(const PackOptions& options, TarWriter& to, std::stop_token stop)
      : options_(options), to_(to), stop_(std::move(stop)), buffer_(kChunk) {}

  void run(const os::RootedDir& root) {
    std::string path = os::clean_path(cat("/", options_.path));
    if (path == "/") {
      os::Fd top = root.open_at("/", O_RDONLY | O_DIRECTORY);
      struct stat info {};
      os::check(::fstat(top.get(), &info), "stat /");
      device_ = info.st_dev;
      if (!options_.name.empty()) to_.add(describe(os::fd_path(top.get()) + "/.", info, options_.name + "/"));
      return directory(top.get(), options_.name, "");
    }
    auto place = root.place(path);
    struct stat info {};
    os::check(::fstatat(place.parent.get(), place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW),
              cat("stat ", quoted(path)));
    device_ = info.st_dev;
    one(place.parent.get(), place.name, info, options_.name, "");
  }

 private:
  // `name` in the archive, `relative` to the top of what is packed ("" for it).
  void one(int parent, const std::string& file, const struct stat& info, const std::string& name,
           const std::string& relative) {
    if (stop_.stop_requested()) throw Error(ErrorKind::Cancelled, "packing was cancelled");
    if (S_ISSOCK(info.st_mode)) return;
    if (!options_.cross_devices && info.st_dev != device_) return;
    std::string path = cat(os::fd_path(parent), "/", file);
    if (S_ISDIR(info.st_mode)) {
      auto inside = open_found(parent, file, O_DIRECTORY);
      if (!inside) return;
      if (!name.empty()) to_.add(describe(path, info, name + "/"));
      return directory(inside->get(), name, relative);
    }
    if (options_.overlay_marks && S_ISCHR(info.st_mode) && info.st_rdev == 0) return whiteout(name, info);
    std::optional<os::Fd> content;
    struct stat now = info;
    if (S_ISREG(info.st_mode)) {
      content = open_found(parent, file, O_NONBLOCK | O_NOCTTY);
      if (!content) return;
      os::check(::fstat(content->get(), &now), cat("stat ", quoted(file)));
      if (!S_ISREG(now.st_mode)) return;
    }
    TarEntry entry = describe(path, now, name.empty() ? file : name);
    if (now.st_nlink > 1) {
      auto [first, is_new] = links_.try_emplace({now.st_dev, now.st_ino}, entry.path);
      if (!is_new) {
        entry.type = EntryType::HardLink;
        entry.link_target = first->second;
        entry.size = 0;
        return to_.add(entry);
      }
    }
    if (S_ISLNK(info.st_mode)) {
      std::string target(PATH_MAX, '\0');
      ssize_t size = ::readlinkat(parent, file.c_str(), target.data(), target.size());
      if (size < 0 && (errno == ENOENT || errno == EINVAL)) return;  // gone or exchanged meanwhile
      os::check(size, cat("readlink ", quoted(name)));
      entry.link_target = target.substr(0, static_cast<std::size_t>(size));
    }
    if (!content) return to_.add(entry);
    file_content(content->get(), entry);
  }

  // nullopt: it has gone since it was listed, or something else has its name. A root that is in use is packed all the
  // same, as by docker.
  static std::optional<os::Fd> open_found(int parent, const std::string& file, int flags) {
    int fd = ::openat(parent, file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) return std::nullopt;
    return os::Fd(os::check(fd, cat("open ", quoted(file))));
  }

  // "d/x" is gone: "d/.wh.x".
  void whiteout(const std::string& name, const struct stat& info) {
    TarEntry entry;
    std::size_t slash = name.rfind('/') + 1;  // 0 where there is none
    entry.path = cat(std::string_view(name).substr(0, slash), ".wh.", std::string_view(name).substr(slash));
    entry.mtime = info.st_mtim.tv_sec;
    to_.add(entry);
  }

  void opaque_mark(int fd, const std::string& name) {
    char value = 0;
    std::string path = cat(os::fd_path(fd), "/.");
    if (::getxattr(path.c_str(), std::string(kOpaqueXattr).c_str(), &value, 1) != 1 || value != 'y') return;
    TarEntry entry;
    entry.path = name.empty() ? ".wh..wh..opq" : cat(name, "/.wh..wh..opq");
    to_.add(entry);
  }

  void directory(int fd, const std::string& name, const std::string& relative) {
    if (options_.overlay_marks) opaque_mark(fd, name);
    for (const auto& child : os::list_dir(os::fd_path(fd))) {
      std::string below = relative.empty() ? child : cat(relative, "/", child);
      if (options_.skip && options_.skip(below)) continue;
      struct stat info {};
      if (::fstatat(fd, child.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) continue;  // gone meanwhile
      one(fd, child, info, name.empty() ? child : cat(name, "/", child), below);
    }
  }

  // What docker's FileInfoHeader takes: whole seconds, no names of users.
  TarEntry describe(const std::string& path, const struct stat& info, std::string name) const {
    TarEntry entry;
    entry.path = std::move(name);
    entry.mode = info.st_mode & 07777;
    entry.uid = info.st_uid;
    entry.gid = info.st_gid;
    entry.mtime = info.st_mtim.tv_sec;
    entry.xattrs = portable_xattrs(path);
    switch (info.st_mode & S_IFMT) {
      case S_IFDIR:
        entry.type = EntryType::Directory;
        break;
      case S_IFLNK:
        entry.type = EntryType::Symlink;
        break;
      case S_IFIFO:
        entry.type = EntryType::Fifo;
        break;
      case S_IFCHR:
      case S_IFBLK:
        entry.type = S_ISCHR(info.st_mode) ? EntryType::CharDevice : EntryType::BlockDevice;
        entry.device_major = major(info.st_rdev);
        entry.device_minor = minor(info.st_rdev);
        break;
      default:
        entry.type = EntryType::File;
        entry.size = static_cast<std::uint64_t>(info.st_size);
    }
    return entry;
  }

  // Exactly as many bytes as the header says, though the file may grow or shrink while it is read.
  void file_content(int fd, const TarEntry& entry) {
    to_.begin(entry);
    for (std::uint64_t left = entry.size; left > 0;) {
      if (stop_.stop_requested()) throw Error(ErrorKind::Cancelled, "packing was cancelled");
      std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer_.size()));
      std::size_t got = read_some(fd, wanted);
      if (got == 0) {
        std::fill_n(buffer_.begin(), wanted, std::byte{0});
        got = wanted;
      }
      to_.write(std::span(buffer_).first(got));
      left -= got;
    }
  }

  std::size_t read_some(int fd, std::size_t wanted) {
    for (;;) {
      ssize_t got = ::read(fd, buffer_.data(), wanted);
      if (got < 0 && errno == EINTR) continue;
      return static_cast<std::size_t>(os::check(got, "read"));
    }
  }

  const PackOptions& options_;
  TarWriter& to_;
  std::stop_token stop_;
  std::vector<std::byte> buffer_;
  dev_t device_ = 0;
  std::map<std::pair<dev_t, ino_t>, std::string> links_;  // the first name of what has several
};

}  // namespace

void pack(const os::RootedDir& root, const PackOptions& options, TarWriter& to, std::stop_token stop) {
  Packer(options, to, std::move(stop)).run(root);
}

}  // namespace proa::archive
