#include "image/same_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <map>
#include <vector>

#include "base/text.h"
#include "image/file_source.h"
#include "os/fd.h"
#include "os/file.h"

namespace proa::image {
namespace {

struct stat stat_of(int directory, const std::string& name) {
  struct stat info {};
  os::check(::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW), name);
  return info;
}

bool same_attributes(const struct stat& a, const struct stat& b) {
  if (a.st_mode != b.st_mode || a.st_uid != b.st_uid || a.st_gid != b.st_gid) return false;
  bool whiteout = S_ISCHR(a.st_mode) && a.st_rdev == 0 && b.st_rdev == 0;  // as old as the unpacking
  if (S_ISDIR(a.st_mode) || whiteout) return true;
  return a.st_nlink == b.st_nlink && a.st_rdev == b.st_rdev && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec;
}

std::map<std::string, std::string> xattrs_of(const std::string& path) {
  std::map<std::string, std::string> out;
  std::vector<char> names(64 << 10), value(64 << 10);
  ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
  for (ssize_t at = 0; at < size;) {
    std::string name = &names[static_cast<std::size_t>(at)];
    at += static_cast<ssize_t>(name.size()) + 1;
    ssize_t length = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    out[name].assign(value.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  }
  return out;
}

bool same_bytes(os::Fd a, os::Fd b) {
  FileSource first(std::move(a)), second(std::move(b));
  std::vector<std::byte> one(256 << 10), other(256 << 10);
  for (;;) {
    std::size_t got = first.read(one);
    for (std::size_t have = 0; have < got;) {
      std::size_t more = second.read(std::span(other).first(got - have));
      if (more == 0 || !std::equal(other.begin(), other.begin() + static_cast<std::ptrdiff_t>(more),
                                   one.begin() + static_cast<std::ptrdiff_t>(have)))
        return false;
      have += more;
    }
    if (got == 0) return second.read(std::span(other).first(1)) == 0;
  }
}

std::string target_of(int directory, const std::string& name) {
  std::string target(4096, '\0');
  auto length = os::check(::readlinkat(directory, name.c_str(), target.data(), target.size()), name);
  target.resize(static_cast<std::size_t>(length));
  return target;
}

std::string difference_in(int a, int b);

std::string difference_at(int a, int b, const std::string& name) {
  struct stat info = stat_of(a, name);
  if (!same_attributes(info, stat_of(b, name)) ||
      xattrs_of(os::path_join(os::fd_path(a), name)) != xattrs_of(os::path_join(os::fd_path(b), name)))
    return name;
  auto open = [&](int directory, int flags) { return os::open_at(directory, name, O_RDONLY | O_NOFOLLOW | flags); };
  if (S_ISDIR(info.st_mode)) {
    std::string below = difference_in(open(a, O_DIRECTORY).get(), open(b, O_DIRECTORY).get());
    return below.empty() ? below : os::path_join(name, below);
  }
  if (S_ISREG(info.st_mode) && !same_bytes(open(a, 0), open(b, 0))) return name;
  if (S_ISLNK(info.st_mode) && target_of(a, name) != target_of(b, name)) return name;
  return "";
}

std::string difference_in(int a, int b) {
  auto names = os::list_dir(os::fd_path(a)), others = os::list_dir(os::fd_path(b));
  for (std::size_t i = 0; i < names.size() || i < others.size(); ++i) {
    if (i == others.size() || (i < names.size() && names[i] < others[i])) return names[i];
    if (i == names.size() || others[i] < names[i]) return others[i];
    if (std::string found = difference_at(a, b, names[i]); !found.empty()) return found;
  }
  return "";
}

}  // namespace

std::string first_difference(const std::string& a, const std::string& b) {
  os::Fd first = os::open_file(a, O_RDONLY | O_DIRECTORY), second = os::open_file(b, O_RDONLY | O_DIRECTORY);
  if (!same_attributes(stat_of(first.get(), "."), stat_of(second.get(), "."))) return ".";
  return difference_in(first.get(), second.get());
}

}  // namespace proa::image
