// For tests: a tar as the EROFS file system that is made around it, and any tree in words.
#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <map>
#include <string>

#include "archive/erofs.h"
#include "archive/raw_tar.h"
#include "archive/tar_reader.h"
#include "base/text.h"
#include "os/file.h"
#include "os/mount.h"

namespace proa::archive::raw {

// The file system's bytes; throws what the archive deserves, or NotImplemented where the tree is unfit.
inline std::string erofs_of(const std::string& tar) {
  Source source(tar, 3000);
  TarReader reader(source);
  LayerTree tree;
  while (const TarEntry* entry = reader.next()) tree.add(*entry, reader.position());
  reader.drain();
  if (!tree.unfit().empty()) throw Error(ErrorKind::NotImplemented, tree.unfit());
  Sink metadata;
  std::string head = write_erofs(tree, tar.size(), std::string(16, 'u'), metadata);
  std::string image = head + tar;
  image.resize(erofs_metadata_start(tar.size()), '\0');
  return image + metadata.text;
}

inline os::Fd mount_erofs(const std::string& image, const std::string& path) {
  os::write_file(path, image, 0600);
  return os::make_filesystem("erofs", path, {}, MOUNT_ATTR_RDONLY);
}

// Everything below `top` that can be told from outside, one line each.
class TreeInWords {
 public:
  explicit TreeInWords(std::string top) : top_(std::move(top)) { one(""); }
  std::string text;
  std::map<std::string, std::string> directory_times;

 private:
  void one(const std::string& relative) {
    std::string path = top_ + "/." + relative;
    if (path.size() > 4000) return;  // no path of it
    struct stat info {};
    os::check(::lstat(path.c_str(), &info), path);
    bool is_directory = S_ISDIR(info.st_mode), is_link = S_ISLNK(info.st_mode);
    bool is_whiteout = S_ISCHR(info.st_mode) && info.st_rdev == 0;
    std::string time = cat(info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec);
    if (is_directory) directory_times[relative] = time;
    text += cat(relative, "| ", info.st_mode, " ", info.st_uid, ":", info.st_gid, " ",
                is_directory || is_whiteout ? "" : time, " x", info.st_nlink, " ", is_directory ? 0 : info.st_size, " ",
                major(info.st_rdev), ":", minor(info.st_rdev));
    if (!is_directory && info.st_nlink > 1)
      text += cat(" is ", first_.try_emplace(info.st_ino, relative).first->second);
    if (is_link) {
      std::string target(5000, '\0');
      target.resize(static_cast<std::size_t>(os::check(::readlink(path.c_str(), target.data(), target.size()), path)));
      text += cat(" -> ", target);
    }
    xattrs(path);
    if (S_ISREG(info.st_mode) && info.st_size < 64 << 20)
      text += cat(" content ", std::hash<std::string>()(os::read_file(path, 64 << 20)));
    text += "\n";
    if (!is_directory) return;
    for (const auto& name : os::list_dir(path)) one(cat(relative, "/", name));
  }
  void xattrs(const std::string& path) {
    ssize_t size = ::llistxattr(path.c_str(), nullptr, 0);
    if (size <= 0) return;
    std::string names(64 << 10, '\0'), value(64 << 10, '\0');
    size = os::check(::llistxattr(path.c_str(), names.data(), names.size()), path);
    names.resize(static_cast<std::size_t>(size));
    std::map<std::string, std::string> sorted;
    for (const auto& name : split(names, '\0')) {
      if (name.empty()) continue;
      ssize_t got = os::check(::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size()), path);
      sorted[name] = value.substr(0, static_cast<std::size_t>(got));
    }
    for (const auto& [name, content] : sorted) text += cat(" ", name, "=", content);
  }

  std::string top_;
  std::map<ino_t, std::string> first_;
};

}  // namespace proa::archive::raw
