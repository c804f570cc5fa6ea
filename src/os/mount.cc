#include "os/mount.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "os/file.h"
#include "os/own_thread.h"
#include "os/rooted_dir.h"
#include "os/syscalls.h"

namespace proa::os {
namespace {

// The kernel says why in messages read from the context itself ("e overlay: ...").
[[noreturn]] void fail_with_log(int context, std::string what, int errno_code) {
  char line[512];
  for (;;) {
    auto count = ::read(context, line, sizeof line);
    if (count <= 0) break;
    std::string_view text = trim(std::string_view(line, static_cast<std::size_t>(count)));
    if (text.starts_with("e ") || text.starts_with("w ")) what += cat(": ", text.substr(2));
  }
  fail(what, errno_code);
}

std::string unescape_octal(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && i + 3 < text.size() && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

Fd make_filesystem(std::string_view type, std::string_view source, const MountParameters& parameters,
                   std::uint64_t attributes) {
  std::string name(type);
  Fd context(static_cast<int>(::syscall(SYS_fsopen, name.c_str(), FSOPEN_CLOEXEC)));
  if (!context) fail(cat("fsopen ", type));
  auto configure = [&](unsigned command, const char* key, const char* value, std::string_view what) {
    if (::syscall(SYS_fsconfig, context.get(), command, key, value, 0) == 0) return;
    int failed = errno;
    fail_with_log(context.get(), cat(type, what.empty() ? "" : ": ", what), failed);
  };
  if (!source.empty()) configure(FSCONFIG_SET_STRING, "source", std::string(source).c_str(), cat("source=", source));
  for (const auto& [key, value] : parameters) {
    if (value.empty()) {
      configure(FSCONFIG_SET_FLAG, key.c_str(), nullptr, cat("option ", key));
    } else {
      configure(FSCONFIG_SET_STRING, key.c_str(), value.c_str(), cat("option ", key, "=", value));
    }
  }
  configure(FSCONFIG_CMD_CREATE, nullptr, nullptr, "");
  Fd mount(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, attributes)));
  if (!mount) fail_with_log(context.get(), cat("fsmount ", type), errno);
  return mount;
}

Fd clone_mount(int dirfd, std::string_view path, Recursive recursive) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  if (recursive == Recursive::Yes) flags |= AT_RECURSIVE;
  if (path.empty()) flags |= AT_EMPTY_PATH;
  int fd = static_cast<int>(::syscall(SYS_open_tree, dirfd, std::string(path).c_str(), flags));
  if (fd < 0) fail(cat("open_tree", path.empty() ? "" : " ", path));
  return Fd(fd);
}

std::optional<Fd> clone_mount_inside(pid_t pid, std::string_view path) {
  Fd space = open_file(cat("/proc/", pid, "/ns/mnt"), O_RDONLY);
  std::optional<Fd> mount;
  on_own_thread([&] {
    check(::unshare(CLONE_FS), "unshare the working directory");
    set_namespace(space.get(), CLONE_NEWNS);
    auto place = RootedDir::open("/").try_open_at(path, O_PATH | O_DIRECTORY);
    if (place) mount = clone_mount(place->get(), "", Recursive::No);
  });
  return mount;
}

void attach_mount(int mount, int target) {
  check(::syscall(SYS_move_mount, mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
        "move_mount");
}

void change_mount(int mount, const MountChange& change, Recursive recursive) {
  mount_attr attr{};
  attr.attr_set = change.set;
  attr.attr_clr = change.clear;
  attr.propagation = change.propagation;
  if (change.userns >= 0) {
    attr.attr_set |= MOUNT_ATTR_IDMAP;
    attr.userns_fd = static_cast<std::uint64_t>(change.userns);
  }
  unsigned flags = AT_EMPTY_PATH | (recursive == Recursive::Yes ? static_cast<unsigned>(AT_RECURSIVE) : 0U);
  check(::syscall(SYS_mount_setattr, mount, "", flags, &attr, sizeof attr), "mount_setattr");
}

Fd read_only_file(std::string_view path) {
  Fd mount = clone_mount(AT_FDCWD, path, Recursive::No);
  change_mount(mount.get(), {.set = MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE}, Recursive::No);
  return mount;
}

void set_propagation(const char* path, unsigned long flags) {
  check(::mount(nullptr, path, nullptr, flags, nullptr), cat("propagation of ", path));
}

void unmount_detach(const char* path) { check(::umount2(path, MNT_DETACH), cat("umount ", path)); }

std::vector<MountInfo> parse_mountinfo(std::string_view text) {
  std::vector<MountInfo> out;
  for (const auto& line : split(text, '\n')) {
    auto words = split(line, ' ');
    if (words.size() < 10) continue;
    MountInfo info;
    info.id = parse_int<int>(words[0]).value_or(0);
    info.parent = parse_int<int>(words[1]).value_or(0);
    info.root = unescape_octal(words[3]);
    info.target = unescape_octal(words[4]);
    info.options = words[5];
    std::size_t at = 6;
    for (; at < words.size() && words[at] != "-"; ++at) info.optional_fields.push_back(words[at]);
    if (at + 3 >= words.size()) continue;
    info.type = words[at + 1];
    info.source = unescape_octal(words[at + 2]);
    info.super_options = words[at + 3];
    out.push_back(std::move(info));
  }
  return out;
}

const MountInfo* find_mount(const std::vector<MountInfo>& mounts, int fd) {
  constexpr std::string_view kField = "mnt_id:";
  for (const auto& line : split(read_file(cat("/proc/self/fdinfo/", fd)), '\n')) {
    if (!line.starts_with(kField)) continue;
    auto id = parse_int<int>(trim(std::string_view(line).substr(kField.size())));
    for (const auto& mount : mounts) {
      if (id && mount.id == *id) return &mount;
    }
  }
  return nullptr;
}

}  // namespace proa::os
