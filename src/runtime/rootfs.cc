#include "runtime/rootfs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/failpoint.h"
#include "base/text.h"
#include "base/trace.h"
#include "os/file.h"
#include "os/syscalls.h"
#include "runtime/copy_up.h"
#include "runtime/labels.h"

namespace proa::runtime {
namespace {

constexpr std::uint64_t kReadOnly = MOUNT_ATTR_RDONLY;

bool is_directory(int fd) {
  struct stat info {};
  os::check(::fstat(fd, &info), "stat of a mount");
  return S_ISDIR(info.st_mode);
}

long filesystem_magic(int fd) {
  struct statfs info {};
  os::check(::fstatfs(fd, &info), "statfs");
  return static_cast<long>(info.f_type);
}

// Where a mount goes once it has been made: links on the way, dangling ones too (a link into a /run that the image
// lacks is common), are followed inside the root. Whatever is swapped meanwhile, every step stays in it
// (CVE-2024-45310).
os::Fd make_destination(const os::RootedDir& root, const std::string& path, bool directory) {
  std::vector<std::string> left = split(path, '/');
  std::string done;
  int links = 0;
  while (!left.empty()) {
    std::string part = std::move(left.front());
    left.erase(left.begin());
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      done = done.substr(0, done.rfind('/') == std::string::npos ? 0 : done.rfind('/'));
      continue;
    }
    std::string next = cat(done, "/", part);
    auto there = root.try_stat(next);
    if (there && S_ISLNK(there->st_mode)) {
      if (++links > 40) os::fail(cat("create ", path), ELOOP);
      auto place = root.place(next);
      char target[4096];
      auto size = os::check(::readlinkat(place.parent.get(), place.name.c_str(), target, sizeof target), next);
      auto parts = split(std::string_view(target, static_cast<std::size_t>(size)), '/');
      if (target[0] == '/') done.clear();
      left.insert(left.begin(), parts.begin(), parts.end());
      continue;
    }
    bool last = std::all_of(left.begin(), left.end(), [](const std::string& more) { return more.empty(); });
    if (!there) {
      FAILPOINT("runtime.mount.before_make");
      auto place = root.place(next);
      int made = last && !directory ? ::openat(place.parent.get(), place.name.c_str(),
                                               O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, 0755)
                                    : ::mkdirat(place.parent.get(), place.name.c_str(), 0755);
      if (made < 0 && errno != EEXIST) os::fail(cat("create ", next));
      if (made > 0) ::close(made);
    }
    done = next;
  }
  return root.open_at(done, O_PATH);
}

}  // namespace

os::Fd open_destination(const os::RootedDir& root, const std::string& path, bool directory) {
  if (auto there = root.try_open_at(path, O_PATH)) return std::move(*there);
  return make_destination(root, path, directory);
}

namespace {

// /proc and /sys must be real directories: through a link they would lie elsewhere and be left unmasked
// (CVE-2023-27561). Other file systems of the kernel's own are held to nothing more than the root.
os::Fd open_ordinary_directory(const os::RootedDir& root, const MountStep& step) {
  auto there = root.try_open_at(step.destination, O_PATH | O_NOFOLLOW);
  if (!there) return root.make_dirs(step.destination);
  if (!is_directory(there->get())) {
    throw Error(ErrorKind::InvalidArgument,
                cat("filesystem ", quoted(step.type), " must be mounted on ordinary directory"));
  }
  return std::move(*there);
}

void refuse_proc(const MountStep& step, int destination, int source) {
  bool named = proc_destination_allowed(step.destination);
  bool lies_in_proc = filesystem_magic(destination) == PROC_SUPER_MAGIC;
  if (step.destination == "/proc" && source >= 0 && filesystem_magic(source) == PROC_SUPER_MAGIC) return;
  // A link may lead there too: what counts is where the destination has been found to be.
  bool allowed_file = named && step.destination.starts_with("/proc/");
  if (named && (!lies_in_proc || allowed_file)) return;
  throw Error(ErrorKind::Forbidden, cat(quoted(step.destination), " cannot be mounted because it is inside /proc"));
}

void set_step_propagation(int mount, const MountStep& step) {
  if (step.propagation == 0) return;
  os::MountChange change;
  change.propagation = step.propagation;
  os::change_mount(mount, change, step.propagation_recursive ? os::Recursive::Yes : os::Recursive::No);
}

os::Fd bind_source(const MountStep& step) {
  // A descriptor that came along is a detached mount: it is moved itself, for Linux before 6.15 clones none.
  constexpr std::string_view kDescriptors = "/proc/self/fd/";
  if (step.source.starts_with(kDescriptors)) {
    auto number = parse_int<int>(std::string_view(step.source).substr(kDescriptors.size()));
    if (number) return os::Fd(os::check(::fcntl(*number, F_DUPFD_CLOEXEC, 3), cat("dup ", step.source)));
  }
  return os::clone_mount(AT_FDCWD, step.source, step.recursive ? os::Recursive::Yes : os::Recursive::No);
}

void apply_bind(const os::RootedDir& root, const MountStep& step, const os::Fd* prepared) {
  os::Fd mount = prepared ? prepared->duplicate() : bind_source(step);
  os::Fd destination = open_destination(root, step.destination, is_directory(mount.get()));
  refuse_proc(step, destination.get(), mount.get());
  FAILPOINT("runtime.mount.place_found");
  // Clones of a shared mount are shared: cut off first, whatever is asked for afterwards.
  os::MountChange change;
  change.set = step.set;
  change.clear = step.clear;
  if (step.propagation == 0) {
    os::change_mount(mount.get(), {.propagation = MS_PRIVATE}, os::Recursive::Yes);
  }
  if (change.set != 0 || change.clear != 0) os::change_mount(mount.get(), change, os::Recursive::No);
  if (step.set_all != 0 || step.clear_all != 0) {
    os::change_mount(mount.get(), {.set = step.set_all, .clear = step.clear_all}, os::Recursive::Yes);
  }
  os::attach_mount(mount.get(), destination.get());
  set_step_propagation(mount.get(), step);
}

os::Fd make_mount(const MountStep& step) {
  // The source is only a name for the kernel's own file systems.
  return os::make_filesystem(step.type, step.source.empty() ? step.type : step.source, step.parameters, step.set);
}

void apply_filesystem(const os::RootedDir& root, const MountStep& step) {
  if (step.copy_up && step.type != "tmpfs") {
    throw Error(ErrorKind::InvalidArgument, "mount option tmpcopyup is for tmpfs only");
  }
  bool kernels_own = step.type == "proc" || step.type == "sysfs";
  bool was_there = root.try_open_at(step.destination, O_PATH).has_value();
  os::Fd destination =
      kernels_own ? open_ordinary_directory(root, step) : open_destination(root, step.destination, true);
  if (step.type != "proc" || step.destination != "/proc") refuse_proc(step, destination.get(), -1);
  FAILPOINT("runtime.mount.place_found");
  os::Fd mount = make_mount(step);
  if (step.type == "tmpfs") {
    // Like docker's: an existing directory's mode shows through unless the options say another. Else it is tmpfs' own
    // 1777, so that any user can write there.
    bool mode_given = !was_there;
    for (const auto& [key, value] : step.parameters) mode_given |= key == "mode";
    struct stat info {};
    if (!mode_given && ::fstat(destination.get(), &info) == 0 && S_ISDIR(info.st_mode)) {
      ::fchmodat(mount.get(), ".", info.st_mode & 07777, 0);
    }
    if (step.copy_up) copy_up(destination.get(), mount.get());
  }
  os::attach_mount(mount.get(), destination.get());
  label_directory(mount.get(), step.label);
  set_step_propagation(mount.get(), step);
}

// For a container without a group of its own, which the host's groups do not concern.
os::Fd make_empty(std::uint64_t attributes, const std::string& label) {
  os::MountParameters parameters = {{"nr_blocks", "1"}, {"nr_inodes", "2"}, {"mode", "755"}};
  add_label(parameters, label);
  return os::make_filesystem("tmpfs", "tmpfs", parameters, attributes | kReadOnly);
}

// v1: a tmpfs with one directory per hierarchy, each the container's own group, read-only unless asked otherwise.
void apply_cgroup_v1(const os::RootedDir& root, const MountStep& step, const CgroupHandle& cgroup) {
  MountStep top;
  top.type = "tmpfs";
  top.source = "tmpfs";
  top.parameters = {{"mode", "755"}};
  add_label(top.parameters, step.label);
  os::Fd destination = open_destination(root, step.destination, true);
  refuse_proc(step, destination.get(), -1);
  if (cgroup.path.empty()) return os::attach_mount(make_empty(step.set, step.label).get(), destination.get());
  std::uint64_t attributes = step.set & ~static_cast<std::uint64_t>(MOUNT_ATTR_RDONLY);
  os::Fd tmpfs = os::make_filesystem("tmpfs", "tmpfs", top.parameters, attributes);
  os::attach_mount(tmpfs.get(), destination.get());
  for (const auto& hierarchy : cgroup.layout.hierarchies) {
    std::string source = os::path_join(os::path_join(cgroup.layout.root, hierarchy.directory), cgroup.path);
    if (!os::exists(source)) continue;
    const char* name = hierarchy.directory.c_str();
    os::check(::mkdirat(tmpfs.get(), name, 0755), cat("mkdir ", hierarchy.directory));
    os::Fd mount = os::clone_mount(AT_FDCWD, source, os::Recursive::No);
    os::change_mount(mount.get(), {.set = step.set, .clear = step.clear, .propagation = MS_PRIVATE}, os::Recursive::No);
    os::Fd place = os::open_at(tmpfs.get(), name, O_PATH | O_NOFOLLOW | O_DIRECTORY);
    os::attach_mount(mount.get(), place.get());
    if (hierarchy.controllers.size() < 2) continue;
    for (const auto& controller : hierarchy.controllers) {
      os::check(::symlinkat(name, tmpfs.get(), controller.c_str()), cat("link ", controller));
    }
  }
  if (step.set & MOUNT_ATTR_RDONLY) os::change_mount(tmpfs.get(), {.set = MOUNT_ATTR_RDONLY}, os::Recursive::No);
}

// Without a cgroup namespace a user namespace may not mount cgroups: it sees its own group by a bind mount, and may not
// write to it (CVE-2023-25809).
os::Fd make_cgroup_v2(const MountStep& mount, const CgroupHandle& cgroup) {
  try {
    return make_mount(mount);
  } catch (const Error& error) {
    if (error.errno_code() != EPERM && error.errno_code() != EBUSY) throw;
    if (cgroup.path.empty()) return make_empty(mount.set, mount.label);
    os::Fd bound = os::clone_mount(AT_FDCWD, os::path_join(cgroup.layout.root, cgroup.path), os::Recursive::No);
    os::change_mount(bound.get(), {.set = mount.set | kReadOnly, .clear = mount.clear & ~kReadOnly}, os::Recursive::No);
    return bound;
  }
}

void apply_cgroup_v2(const os::RootedDir& root, const MountStep& step, const CgroupHandle& cgroup) {
  MountStep mount = step;
  mount.type = "cgroup2";
  mount.source = "cgroup";
  mount.parameters.clear();
  os::Fd destination = open_ordinary_directory(root, mount);
  refuse_proc(step, destination.get(), -1);
  os::Fd made = make_cgroup_v2(mount, cgroup);
  os::attach_mount(made.get(), destination.get());
}

std::string describe(const MountStep& step) {
  return cat("error mounting ", quoted(step.source.empty() ? step.type : step.source), " to rootfs at ",
             quoted(step.destination));
}

// Whether some mount of the old root may be the peer of one of the host's.
bool is_heard_by_host(const oci::Spec& spec) {
  auto flags = rootfs_propagation(spec.linux.rootfs_propagation);
  return !(flags & MS_REC) || flags & MS_SHARED;
}

}  // namespace

void set_host_propagation(const oci::Spec& spec) {
  os::set_propagation("/", rootfs_propagation(spec.linux.rootfs_propagation));
}

std::map<std::size_t, os::Fd> clone_host_root(const std::vector<MountStep>& steps) {
  std::map<std::size_t, os::Fd> out;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].kind != MountKind::Bind || os::clean_path(steps[i].source) != "/") continue;
    out.emplace(i, bind_source(steps[i]));
  }
  return out;
}

os::RootedDir attach_root(const std::optional<os::Fd>& detached, const std::string& path) {
  trace::Span span("runtime.root");
  os::Fd mount = detached ? detached->duplicate() : os::clone_mount(AT_FDCWD, path, os::Recursive::Yes);
  if (!detached) span.set("path", path);
  os::change_mount(mount.get(), {.propagation = MS_PRIVATE}, os::Recursive::Yes);
  // pivot_root refuses a shared parent.
  os::set_propagation("/", MS_PRIVATE);
  os::Fd slash = os::open_file("/", O_PATH | O_DIRECTORY);
  os::attach_mount(mount.get(), slash.get());
  return os::RootedDir(std::move(mount));
}

void apply_mount(const os::RootedDir& root, const MountStep& step, const CgroupHandle& cgroup, const os::Fd* prepared) {
  trace::Span span("runtime.mount");
  span.set("destination", step.destination);
  span.set("type", step.kind == MountKind::Bind ? std::string("bind") : step.type);
  if (!step.source.empty()) span.set("source", step.source);
  if (!step.options.empty()) span.set("options", step.options);
  in_context(describe(step), [&] {
    switch (step.kind) {
      case MountKind::Bind:
        return apply_bind(root, step, prepared);
      case MountKind::Filesystem:
        return apply_filesystem(root, step);
      case MountKind::Cgroup:
        return cgroup.layout.unified ? apply_cgroup_v2(root, step, cgroup) : apply_cgroup_v1(root, step, cgroup);
    }
  });
}

void pivot_into(const os::RootedDir& root, const oci::Spec& spec, bool no_pivot) {
  trace::Span span("runtime.pivot");
  os::check(::fchdir(root.fd()), "chdir to the root");
  if (no_pivot) {
    os::check(::chroot("."), "chroot");
  } else {
    // The old root comes to lie over the new one and is taken off at once (pivot_root(2), "pivot_root(".", ".")").
    std::optional<os::Fd> old;
    if (is_heard_by_host(spec)) old = os::open_file("/", O_PATH | O_DIRECTORY);
    os::pivot_root(".", ".");
    // Else what is taken off with the old root is taken off the host's too. (Only now is the new root not below it.)
    if (old) os::change_mount(old->get(), {.propagation = MS_SLAVE}, os::Recursive::Yes);
    os::unmount_detach(".");
  }
  os::check(::chdir("/"), "chdir to /");
}

void mask_paths(const os::RootedDir& root, const std::vector<std::string>& paths, const std::string& label) {
  if (paths.empty()) return;
  trace::Span span("runtime.masks");
  span.set("paths", join(paths, " "));
  // One empty read-only tmpfs shows at every masked directory; clones can be made once it is attached somewhere.
  std::optional<os::Fd> blank;
  std::optional<os::Fd> null;
  for (const auto& path : paths) {
    in_context(cat("mask ", path), [&] {
      auto place = root.try_open_at(path, O_PATH);
      if (!place) return;
      if (is_directory(place->get())) {
        if (!blank) {
          blank = make_empty(0, label);
          return os::attach_mount(blank->get(), place->get());
        }
        os::Fd copy = os::clone_mount(blank->get(), "", os::Recursive::No);
        return os::attach_mount(copy.get(), place->get());
      }
      if (!null) {
        null = root.open_at("/dev/null", O_PATH | O_NOFOLLOW);
        struct stat info {};
        os::check(::fstat(null->get(), &info), "stat /dev/null");
        if (!S_ISCHR(info.st_mode) || info.st_rdev != makedev(1, 3)) {  // CVE-2025-31133
          throw Error(ErrorKind::Forbidden, "the container's /dev/null is not the null device");
        }
      }
      os::Fd copy = os::clone_mount(null->get(), "", os::Recursive::No);
      os::attach_mount(copy.get(), place->get());
    });
  }
}

void make_readonly(const os::RootedDir& root, const std::vector<std::string>& paths) {
  if (paths.empty()) return;
  trace::Span span("runtime.readonly");
  span.set("paths", join(paths, " "));
  for (const auto& path : paths) {
    in_context(cat("make ", path, " read-only"), [&] {
      auto place = root.try_open_at(path, O_PATH);
      if (!place) return;
      os::Fd copy = os::clone_mount(place->get(), "", os::Recursive::Yes);
      os::change_mount(copy.get(), {.set = MOUNT_ATTR_RDONLY}, os::Recursive::No);
      os::attach_mount(copy.get(), place->get());
    });
  }
}

void make_root_readonly(const os::RootedDir& root) {
  in_context("make the root read-only",
             [&] { os::change_mount(root.fd(), {.set = MOUNT_ATTR_RDONLY}, os::Recursive::No); });
}

}  // namespace proa::runtime
