#include "image/changes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <optional>
#include <set>

#include "archive/layer_entries.h"
#include "base/text.h"
#include "os/fd.h"
#include "os/file.h"

namespace proa::image {
namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

bool is_whiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == 0; }

bool is_opaque(int directory) {
  char value[2];
  return ::fgetxattr(directory, std::string(archive::kOpaqueXattr).c_str(), value, sizeof value) == 1 &&
         value[0] == 'y';
}

std::optional<struct stat> stat_at(int directory, const std::string& name) {
  struct stat info {};
  if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) return std::nullopt;
  return info;
}

// One directory as the layers below show it: those that contribute to it, topmost first.
using Lowers = std::vector<os::Fd>;

std::optional<struct stat> find_in(const Lowers& lowers, const std::string& name) {
  for (const auto& lower : lowers) {
    auto info = stat_at(lower.get(), name);
    if (!info) continue;
    if (is_whiteout(*info)) return std::nullopt;
    return info;
  }
  return std::nullopt;
}

Lowers descend(const Lowers& lowers, const std::string& name) {
  Lowers below;
  for (const auto& lower : lowers) {
    auto info = stat_at(lower.get(), name);
    if (!info) continue;
    if (!S_ISDIR(info->st_mode)) break;
    below.push_back(os::open_at(lower.get(), name, kOpenDirectory));
    if (is_opaque(below.back().get())) break;
  }
  return below;
}

std::set<std::string> visible_names(const Lowers& lowers) {
  std::set<std::string> names;
  for (const auto& lower : lowers) {
    for (auto& name : os::list_dir(os::fd_path(lower.get()))) {
      if (find_in(lowers, name)) names.insert(std::move(name));
    }
  }
  return names;
}

bool same_directory(const struct stat& a, const struct stat& b) {
  return a.st_mode == b.st_mode && a.st_uid == b.st_uid && a.st_gid == b.st_gid &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

class Walk {
 public:
  std::vector<Change> changes;

  // Whether anything below was recorded.
  bool directory(int upper, const Lowers& lowers, const std::string& path) {
    std::size_t before = changes.size();
    auto names = os::list_dir(os::fd_path(upper));
    for (const auto& name : names) child(upper, lowers, name, cat(path, "/", name));
    if (!lowers.empty() && !path.empty() && is_opaque(upper)) {
      std::set<std::string> kept(names.begin(), names.end());
      for (const auto& name : visible_names(lowers)) {
        if (!kept.contains(name)) add(Change::Kind::Deleted, cat(path, "/", name));
      }
    }
    return changes.size() != before;
  }

 private:
  void add(Change::Kind kind, std::string path) { changes.push_back({kind, std::move(path)}); }

  void child(int upper, const Lowers& lowers, const std::string& name, const std::string& path) {
    auto info = stat_at(upper, name);
    if (!info) return;  // gone meanwhile
    auto below = find_in(lowers, name);
    if (is_whiteout(*info)) {
      if (below) add(Change::Kind::Deleted, path);
      return;
    }
    Change::Kind kind = below ? Change::Kind::Modified : Change::Kind::Added;
    if (!S_ISDIR(info->st_mode)) return add(kind, path);
    os::Fd inside = os::open_at(upper, name, kOpenDirectory);
    bool was_directory = below && S_ISDIR(below->st_mode);
    bool changed = directory(inside.get(), was_directory ? descend(lowers, name) : Lowers(), path);
    if (changed || !was_directory || !same_directory(*info, *below)) add(kind, path);
  }
};

}  // namespace

std::vector<Change> find_changes(const std::string& upper, const std::vector<std::string>& lowers) {
  Lowers open;
  for (const auto& lower : lowers) open.push_back(os::open_file(lower, kOpenDirectory));
  Walk walk;
  walk.directory(os::open_file(upper, kOpenDirectory).get(), open, "");
  std::sort(walk.changes.begin(), walk.changes.end(), [](const Change& a, const Change& b) { return a.path < b.path; });
  return std::move(walk.changes);
}

}  // namespace proa::image
