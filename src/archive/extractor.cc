#include "archive/extractor.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "archive/entry_rules.h"
#include "archive/xattr.h"
#include "base/text.h"
#include "os/file.h"

namespace proa::archive {
namespace {

constexpr std::size_t kMaxDirectoryTimes = 100'000;

timespec timespec_of(const TarEntry& entry) {
  EntryTime time = time_of(entry);
  return {static_cast<time_t>(time.seconds), static_cast<long>(time.nanos)};
}

ino_t inode_of(int fd) {
  struct stat info {};
  os::check(::fstat(fd, &info), "stat");
  return info.st_ino;
}

bool is_overlay_whiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == 0; }

void set_opaque(const std::string& path) {
  os::check(::setxattr(path.c_str(), std::string(kOpaqueXattr).c_str(), "y", 1, 0), "mark as opaque");
}

}  // namespace

ExtractResult extract(TarReader& from, const os::RootedDir& root, const ExtractOptions& options, std::stop_token stop) {
  return Extractor(from, root, options, std::move(stop)).run();
}

Extractor::Extractor(TarReader& from, const os::RootedDir& root, const ExtractOptions& options, std::stop_token stop)
    : from_(from),
      root_(root),
      options_(options),
      stop_(std::move(stop)),
      base_(os::clean_path(cat("/", options.base))) {}

void Extractor::check_stop() const {
  if (stop_.stop_requested()) throw Error(ErrorKind::Cancelled, "unpacking was cancelled");
}

ExtractResult Extractor::run() {
  while (const TarEntry* entry = from_.next()) {
    check_stop();
    try {
      apply(*entry);
    } catch (const Error& error) {
      throw about_entry(*entry, error);
    }
    ++result_.entries;
    result_.disk += entry->type == EntryType::File        ? (stored_ + 4095) / 4096 * 4096
                    : entry->type == EntryType::Directory ? 4096
                                                          : 0;
  }
  set_directory_times();
  return result_;
}

void Extractor::apply(const TarEntry& entry) {
  auto parts = entry_parts(entry.path);
  if (parts.empty()) return apply_root(entry);
  Marker kind = options_.whiteouts == Whiteouts::Keep ? Marker::None : marker_of(parts);
  if (kind == Marker::Ignored) return;
  path_ = os::path_join(base_, join(parts, "/"));
  Place place{parent(std::string(os::dir_name(path_))), parts.back()};
  if (kind != Marker::None) return apply_marker(kind, place);
  if (options_.whiteouts == Whiteouts::Delete) made_.insert(path_);

  switch (entry.type) {
    case EntryType::Directory:
      return make_directory(place, entry);
    case EntryType::File:
      return make_file(place, entry);
    case EntryType::Symlink:
      return make_symlink(place, entry);
    case EntryType::HardLink:
      return make_hard_link(place, entry);
    case EntryType::CharDevice:
    case EntryType::BlockDevice:
    case EntryType::Fifo:
      return make_node(place, entry);
  }
}

// The archive's own top: it can only be the directory that is there. A layer says how it is, a copied-in archive does
// not.
void Extractor::apply_root(const TarEntry& entry) {
  if (entry.type != EntryType::Directory) refuse(cat("the root cannot become a ", to_string(entry.type)));
  if (options_.whiteouts == Whiteouts::Keep) return;
  path_ = base_;
  set_directory_attributes(root_.open_at(base_, O_RDONLY | O_DIRECTORY).get(), entry);
}

void Extractor::apply_marker(Marker kind, const Place& place) {
  if (kind == Marker::Opaque) {
    if (options_.whiteouts == Whiteouts::Overlay) return set_opaque(os::fd_path(place.parent));
    return delete_children(place.parent);
  }
  Place hidden{place.parent, std::string(hidden_name(place.name))};
  if (options_.whiteouts == Whiteouts::Delete) return remove(hidden);
  if (::mknodat(hidden.parent, hidden.name.c_str(), S_IFCHR, 0) == 0) return;
  if (errno != EEXIST) os::fail("make whiteout");
  // The layer has something of that name itself: it stays, and only hides what is below.
  struct stat info {};
  os::check(::fstatat(hidden.parent, hidden.name.c_str(), &info, AT_SYMLINK_NOFOLLOW), "stat");
  if (S_ISDIR(info.st_mode)) set_opaque(cat(os::fd_path(hidden.parent), "/", hidden.name));
}

void Extractor::delete_children(int directory) {
  std::string parent_path = std::string(os::dir_name(path_));
  for (const auto& name : os::list_dir(os::fd_path(directory))) {
    std::string child = os::path_join(parent_path, name);
    auto made = made_.lower_bound(child);
    bool ours = made != made_.end() && (*made == child || made->starts_with(child + "/"));
    if (!ours) remove({directory, name});
  }
}

int Extractor::parent(const std::string& path) {
  if (parent_ && !stale_ && parent_path_ == path) return parent_.get();
  parent_ = make_parent(path);
  parent_path_ = path;
  stale_ = false;
  return parent_.get();
}

// The directory `path` (links resolved in the root); what is missing is made.
os::Fd Extractor::make_parent(const std::string& path) {
  if (auto there = root_.try_open_at(path, O_PATH | O_DIRECTORY)) return std::move(*there);
  std::string done;
  for (const auto& part : split(path, '/')) {
    if (part.empty()) continue;
    os::Fd above = root_.open_at(done, O_PATH | O_DIRECTORY);
    done = cat(done, "/", part);
    Place place{above.get(), part};
    bool hidden = is_whiteout(place);
    if (hidden) os::check(::unlinkat(above.get(), part.c_str(), 0), cat("unlink ", quoted(done)));
    if (::mkdirat(above.get(), part.c_str(), 0755) < 0) {
      if (errno == EEXIST) continue;
      os::fail(cat("mkdir ", quoted(done)));
    }
    os::Fd made = os::open_at(above.get(), part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    os::check(::fchmod(made.get(), 0755), cat("chmod ", quoted(done)));
    if (options_.owner)
      os::check(::fchown(made.get(), options_.owner->uid, options_.owner->gid), cat("chown ", quoted(done)));
    if (hidden) set_opaque(os::fd_path(made.get()));
    directory_times_.erase(inode_of(made.get()));  // of one that was removed
  }
  return root_.open_at(path, O_PATH | O_DIRECTORY);
}

bool Extractor::is_whiteout(const Place& place) const {
  if (options_.whiteouts != Whiteouts::Overlay) return false;
  struct stat info {};
  return ::fstatat(place.parent, place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && is_overlay_whiteout(info);
}

bool Extractor::clear(const Place& place, const TarEntry& entry) {
  struct stat info {};
  if (::fstatat(place.parent, place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno == ENOENT) return false;
    os::fail("stat");
  }
  bool was_directory = S_ISDIR(info.st_mode), is_directory = entry.type == EntryType::Directory;
  if (was_directory && is_directory) return true;
  if (options_.no_overwrite_dir_non_dir && was_directory != is_directory) {
    refuse(was_directory
               ? cat("cannot overwrite directory ", quoted(path_), " with non-directory ", quoted(entry.path))
               : cat("cannot overwrite non-directory ", quoted(path_), " with directory ", quoted(entry.path)));
  }
  remove(place);
  return false;
}

void Extractor::remove(const Place& place) {
  stale_ = true;
  if (::unlinkat(place.parent, place.name.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) os::fail("unlink");
  os::remove_tree(cat(os::fd_path(place.parent), "/", place.name));
}

void Extractor::set_owner(int fd, const TarEntry& entry) const {
  std::uint32_t uid = options_.owner ? options_.owner->uid : entry.uid,
                gid = options_.owner ? options_.owner->gid : entry.gid;
  os::check(::fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW), "chown");
}

void Extractor::set_directory_attributes(int fd, const TarEntry& entry) {
  set_owner(fd, entry);
  os::check(::fchmod(fd, entry.mode), "chmod");  // after chown, which clears setuid
  set_xattrs(fd, entry.xattrs);
  if (directory_times_.size() >= kMaxDirectoryTimes) set_directory_times();
  directory_times_[inode_of(fd)] = {path_, timespec_of(entry)};
}

std::optional<os::Fd> Extractor::try_open_directory(const std::string& path) const {
  try {
    return root_.try_open_at(path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  } catch (const Error& error) {
    if (error.errno_code() == ELOOP) return std::nullopt;
    throw;
  }
}

void Extractor::set_directory_times() {
  for (const auto& [inode, of] : directory_times_) {
    auto directory = try_open_directory(of.path);
    if (!directory || inode_of(directory->get()) != inode)
      continue;  // replaced by a later entry, or what led there was
    timespec times[2] = {of.time, of.time};
    os::check(::utimensat(AT_FDCWD, os::fd_path(directory->get()).c_str(), times, 0),
              cat("set times of ", quoted(of.path)));
  }
  directory_times_.clear();
}

void Extractor::make_directory(const Place& place, const TarEntry& entry) {
  bool hidden = is_whiteout(place);
  if (!clear(place, entry)) os::check(::mkdirat(place.parent, place.name.c_str(), 0700), "mkdir");
  os::Fd fd = os::open_at(place.parent, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (hidden) set_opaque(os::fd_path(fd.get()));
  set_directory_attributes(fd.get(), entry);
}

void Extractor::make_file(const Place& place, const TarEntry& entry) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  os::Fd fd(::openat(place.parent, place.name.c_str(), kFlags, 0600));
  if (!fd && errno == EEXIST) {
    clear(place, entry);
    fd = os::Fd(::openat(place.parent, place.name.c_str(), kFlags, 0600));
  }
  if (!fd) os::fail("create");
  write_content(fd.get(), entry);
  set_owner(fd.get(), entry);
  os::check(::fchmod(fd.get(), entry.mode), "chmod");
  set_xattrs(fd.get(), entry.xattrs);  // after chown, which clears security.capability
  timespec times[2] = {timespec_of(entry), timespec_of(entry)};
  os::check(::futimens(fd.get(), times), "set times");
}

void Extractor::write_content(int fd, const TarEntry& entry) {
  stored_ = 0;
  std::uint64_t at = 0;
  if (!entry.is_sparse) {
    for (auto piece = from_.chunk(); !piece.empty(); piece = from_.chunk()) {
      write_at(fd, piece, at);
      at += piece.size();
    }
    return;
  }
  os::check(::ftruncate(fd, static_cast<off_t>(entry.size)), "set size");
  std::span<const std::byte> piece;
  for (const auto& region : entry.sparse) {
    at = region.offset;
    for (std::uint64_t left = region.length; left > 0;) {
      if (piece.empty()) piece = from_.chunk();
      auto part = piece.first(static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), left)));
      write_at(fd, part, at);
      at += part.size();
      left -= part.size();
      piece = piece.subspan(part.size());
    }
  }
}

void Extractor::write_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset) {
  check_stop();
  result_.bytes += bytes.size();
  stored_ += bytes.size();
  while (!bytes.empty()) {
    ssize_t done = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    os::check(done, "write");
    bytes = bytes.subspan(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
}

void Extractor::make_symlink(const Place& place, const TarEntry& entry) {
  if (entry.link_target.empty()) refuse("a symlink to nothing");
  clear(place, entry);
  os::check(::symlinkat(entry.link_target.c_str(), place.parent, place.name.c_str()), "symlink");
  os::Fd fd = os::open_at(place.parent, place.name, O_PATH | O_NOFOLLOW);
  set_owner(fd.get(), entry);
  if (!entry.xattrs.empty()) set_xattrs(cat(os::fd_path(place.parent), "/", place.name), entry.xattrs);
  timespec times[2] = {timespec_of(entry), timespec_of(entry)};
  os::check(::utimensat(place.parent, place.name.c_str(), times, AT_SYMLINK_NOFOLLOW), "set times");
}

// The target is looked up in the root now, not when all is there: a name that comes later is missing. So is one in a
// lower layer: layers are unpacked each by itself, as Docker does, and the image specification has links inside one.
void Extractor::make_hard_link(const Place& place, const TarEntry& entry) {
  std::string target_path = os::path_join(base_, os::clean_path(cat("/", entry.link_target)));
  auto target = root_.place(target_path);
  struct stat to {
  }, there{};
  os::check(::fstatat(target.parent.get(), target.name.c_str(), &to, AT_SYMLINK_NOFOLLOW),
            cat("hard link to ", quoted(entry.link_target)));
  if (S_ISDIR(to.st_mode)) refuse("a hard link to a directory");
  if (is_overlay_whiteout(to)) refuse("a hard link to a whiteout");
  if (::fstatat(place.parent, place.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) {
    struct stat from_directory {
    }, to_directory{};
    os::check(::fstat(place.parent, &from_directory), "stat");
    os::check(::fstat(target.parent.get(), &to_directory), "stat");
    if (place.name == target.name && from_directory.st_ino == to_directory.st_ino &&
        from_directory.st_dev == to_directory.st_dev) {
      refuse("a hard link to itself");
    }
    if (there.st_ino == to.st_ino && there.st_dev == to.st_dev) return;  // that link exists
    clear(place, entry);
  }
  os::check(::linkat(target.parent.get(), target.name.c_str(), place.parent, place.name.c_str(), 0),
            cat("hard link to ", quoted(entry.link_target)));
}

void Extractor::make_node(const Place& place, const TarEntry& entry) {
  bool character = entry.type == EntryType::CharDevice;
  if (character && entry.device_major == 0 && entry.device_minor == 0) refuse("a device 0:0 would be a whiteout");
  mode_t type = entry.type == EntryType::Fifo ? S_IFIFO : character ? S_IFCHR : S_IFBLK;
  dev_t device = entry.type == EntryType::Fifo ? 0 : makedev(entry.device_major, entry.device_minor);
  clear(place, entry);
  os::check(::mknodat(place.parent, place.name.c_str(), type, device), "mknod");
  os::Fd fd = os::open_at(place.parent, place.name, O_PATH | O_NOFOLLOW);  // never opens the device itself
  std::string path = os::fd_path(fd.get());
  set_owner(fd.get(), entry);
  os::check(::chmod(path.c_str(), entry.mode), "chmod");
  set_xattrs(cat(os::fd_path(place.parent), "/", place.name), entry.xattrs);
  timespec times[2] = {timespec_of(entry), timespec_of(entry)};
  os::check(::utimensat(AT_FDCWD, path.c_str(), times, 0), "set times");
}

}  // namespace proa::archive
