#include "runtime/devices.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"
#include "base/trace.h"
#include "os/file.h"
#include "os/mount.h"

namespace proa::runtime {
namespace {

struct DefaultDevice {
  const char* name;
  unsigned major, minor;
};
constexpr std::array<DefaultDevice, 6> kDefaultDevices = {
    {{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}}};

struct Link {
  const char* name;
  const char* target;
};
constexpr std::array<Link, 4> kLinks = {{{"fd", "/proc/self/fd"},
                                         {"stdin", "/proc/self/fd/0"},
                                         {"stdout", "/proc/self/fd/1"},
                                         {"stderr", "/proc/self/fd/2"}}};

class ZeroUmask {
 public:
  ZeroUmask() : before_(::umask(0)) {}
  ~ZeroUmask() { ::umask(before_); }
  ZeroUmask(const ZeroUmask&) = delete;
  ZeroUmask& operator=(const ZeroUmask&) = delete;

 private:
  mode_t before_;
};

struct Node {
  std::string host_path;
  mode_t type;
  mode_t permissions;
  dev_t number;
  uid_t uid = 0;
  gid_t gid = 0;
};

void bind_node(int dir, const std::string& name, const Node& node) {
  os::Fd mount = os::clone_mount(AT_FDCWD, node.host_path, os::Recursive::No);
  int made = ::openat(dir, name.c_str(), O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, 0644);
  if (made >= 0) ::close(made);
  os::Fd place = os::open_at(dir, name, O_PATH | O_NOFOLLOW);
  os::attach_mount(mount.get(), place.get());
}

// What the image has at a default device's place goes; at the place of one that is asked for it is an error.
enum class Present { Replaced, Refused };

void make_node(int dir, const std::string& name, const Node& node, bool bind, Present present) {
  if (bind) return bind_node(dir, name, node);
  if (::mknodat(dir, name.c_str(), node.type | node.permissions, node.number) < 0) {
    // Not even root may, in a user namespace of somebody's.
    if (errno == EPERM) return bind_node(dir, name, node);
    if (errno != EEXIST) os::fail(cat("mknod ", name));
    struct stat info {};
    os::check(::fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW), cat("stat ", name));
    if ((info.st_mode & S_IFMT) == node.type && info.st_rdev == node.number) return;
    if (present == Present::Refused) {
      throw Error(ErrorKind::Conflict, "the root has something else in its place");
    }
    os::check(::unlinkat(dir, name.c_str(), 0), cat("remove ", name));
    os::check(::mknodat(dir, name.c_str(), node.type | node.permissions, node.number), cat("mknod ", name));
  }
  if (node.uid != 0 || node.gid != 0) {
    os::check(::fchownat(dir, name.c_str(), node.uid, node.gid, AT_SYMLINK_NOFOLLOW), cat("chown ", name));
  }
}

void make_link(int dir, const char* name, const char* target) {
  if (::symlinkat(target, dir, name) < 0 && errno != EEXIST) os::fail(cat("symlink /dev/", name));
}

}  // namespace

mode_t device_type(const oci::Device& device) {
  if (device.type == "c" || device.type == "u") return S_IFCHR;
  if (device.type == "b") return S_IFBLK;
  if (device.type == "p") return S_IFIFO;
  throw Error(ErrorKind::InvalidArgument, cat("type ", quoted(device.type), " is unknown"));
}

void make_devices(const os::RootedDir& root, const oci::Spec& spec, bool bind) {
  bool foreign = std::any_of(spec.mounts.begin(), spec.mounts.end(), [](const oci::Mount& mount) {
    return os::clean_path(mount.destination) == "/dev" && mount.type == "bind";
  });
  if (foreign) return;
  trace::Span span("runtime.devices");
  ZeroUmask umask;
  root.make_dirs("/dev");
  // A /dev that is a link would take us to the host's directories on an older walk (crun CVE-2026-47766).
  os::Fd dev = root.open_at("/dev", O_PATH | O_DIRECTORY | O_NOFOLLOW);
  for (const auto& device : kDefaultDevices) {
    make_node(dev.get(), device.name, {cat("/dev/", device.name), S_IFCHR, 0666, makedev(device.major, device.minor)},
              bind, Present::Replaced);
  }
  for (const auto& device : spec.linux.devices) {
    in_context(cat("device ", device.path), [&] {
      std::string path = os::clean_path(cat("/", device.path));
      root.make_dirs(os::dir_name(path));
      auto place = root.place(path);
      Node node{device.path,
                device_type(device),
                static_cast<mode_t>(device.file_mode.value_or(0666) & 07777),
                makedev(static_cast<unsigned>(device.major), static_cast<unsigned>(device.minor)),
                device.uid.value_or(0),
                device.gid.value_or(0)};
      make_node(place.parent.get(), place.name, node, bind, Present::Refused);
    });
  }
  span.set("nodes", static_cast<std::int64_t>(kDefaultDevices.size() + spec.linux.devices.size()));
  for (const auto& link : kLinks) make_link(dev.get(), link.name, link.target);
  if (os::exists("/proc/kcore")) make_link(dev.get(), "core", "/proc/kcore");
  // The image's own ptmx node would be one of the host's terminals.
  if (::unlinkat(dev.get(), "ptmx", 0) < 0 && errno != ENOENT) os::fail("remove /dev/ptmx");
  make_link(dev.get(), "ptmx", "pts/ptmx");
}

std::vector<std::string> device_paths(const oci::Spec& spec) {
  std::vector<std::string> out;
  for (const auto& device : kDefaultDevices) out.push_back(cat("/dev/", device.name));
  for (const auto& device : spec.linux.devices) out.push_back(os::clean_path(cat("/", device.path)));
  return out;
}

os::TtyPair open_console(const os::RootedDir& root, const std::optional<oci::ConsoleSize>& size) {
  trace::Span span("runtime.console");
  auto pair = os::open_tty_pair(root.open_at("/dev/pts/ptmx", O_RDWR | O_NOCTTY));
  if (size && (size->height != 0 || size->width != 0)) {
    os::set_tty_size(pair.master.get(),
                     {static_cast<std::uint16_t>(size->height), static_cast<std::uint16_t>(size->width)});
  }
  return pair;
}

void mount_console(const os::RootedDir& root, int slave) {
  os::Fd dev = root.open_at("/dev", O_PATH | O_DIRECTORY | O_NOFOLLOW);
  int made = ::openat(dev.get(), "console", O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, 0600);
  if (made >= 0) ::close(made);
  if (made < 0 && errno != EEXIST) os::fail("create /dev/console");
  os::Fd place = os::open_at(dev.get(), "console", O_PATH | O_NOFOLLOW);
  os::Fd mount = os::clone_mount(slave, "", os::Recursive::No);
  os::attach_mount(mount.get(), place.get());
}

void adopt_null(const os::RootedDir& root) {
  auto is_null = [](int fd) {
    struct stat info {};
    return ::fstat(fd, &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);
  };
  os::Fd own;
  for (int fd = 0; fd < 3; ++fd) {
    if (!is_null(fd)) continue;
    if (!own) {
      auto found = root.try_open_at("/dev/null", O_PATH | O_NOFOLLOW);
      if (!found || !is_null(found->get())) return;
      own = os::open_file(os::fd_path(found->get()), O_RDWR);
    }
    os::check(::dup3(own.get(), fd, 0), "null device as standard stream");
  }
}

void adopt_console(int slave, uid_t owner) {
  os::check(::ioctl(slave, TIOCSCTTY, 0), "TIOCSCTTY");
  if (owner != 0) os::check(::fchown(slave, owner, static_cast<gid_t>(-1)), "chown of the console");
  for (int fd = 0; fd < 3; ++fd) os::check(::dup3(slave, fd, 0), "console as standard stream");
}

}  // namespace proa::runtime
