#include "runtime/labels.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include <cerrno>

#include "base/text.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/rooted_dir.h"

namespace proa::runtime {
namespace {

constexpr const char* kSelinux = "/sys/fs/selinux";

os::RootedDir open_proc(Proc proc) {
  try {
    constexpr std::uint64_t kAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    return os::RootedDir(os::make_filesystem("proc", "proc", {{"subset", "pid"}}, kAttributes));
  } catch (const Error& error) {
    if (proc != Proc::Callers || error.errno_code() != EPERM) throw;
    return os::RootedDir::open("/proc");
  }
}

std::optional<os::Fd> open_apparmor(const oci::Process& process, Proc proc) {
  if (process.apparmor_profile.empty()) return std::nullopt;
  auto enabled = os::try_read_file("/sys/module/apparmor/parameters/enabled", 64);
  if (!enabled || !enabled->starts_with('Y')) {
    if (process.apparmor_profile == "unconfined") return std::nullopt;
    throw Error(ErrorKind::Unavailable, "apparmor profile is specified in config, but apparmor is disabled");
  }
  auto files = open_proc(proc);
  if (auto file = files.try_open_at("thread-self/attr/apparmor/exec", O_WRONLY)) return file;
  return files.open_at("thread-self/attr/exec", O_WRONLY);
}

std::optional<os::Fd> open_selinux(const oci::Process& process, Proc proc) {
  if (process.selinux_label.empty()) return std::nullopt;
  return open_proc(proc).open_at("thread-self/attr/exec", O_WRONLY);
}

void write_label(int file, std::string_view text, std::string_view failure) {
  try {
    os::write_all(file, text);
  } catch (const Error& error) {
    throw Error(ErrorKind::InvalidArgument, cat(failure, ": ", os::errno_text(error.errno_code())), error.errno_code());
  }
}

// The policy is asked by the file that libselinux's security_check_context(3) writes to.
void check_label(const std::string& label, std::string_view what, std::string_view field) {
  if (label.empty()) return;
  if (!selinux_enabled()) {
    throw Error(ErrorKind::Unavailable, cat(what, " is specified in config, but selinux is disabled or not supported"));
  }
  if (label.find('\0') != std::string::npos) throw Error(ErrorKind::InvalidArgument, cat(field, " has a zero byte"));
  try {
    os::write_all(os::open_file(cat(kSelinux, "/context"), O_WRONLY).get(), label);
  } catch (const Error& error) {
    if (error.errno_code() != EINVAL) return;  // who may not ask hears it from the kernel later
    throw Error(ErrorKind::InvalidArgument,
                cat(field, " ", quoted(label), ": the loaded selinux policy has no such label"), EINVAL);
  }
}

}  // namespace

bool selinux_enabled() {
  struct statfs info {};
  if (::statfs(kSelinux, &info) != 0 || static_cast<unsigned long>(info.f_type) != SELINUX_MAGIC) return false;
  if (info.f_flags & ST_RDONLY) return false;
  // Until a policy is loaded everything has this one label.
  auto own = os::try_read_file("/proc/thread-self/attr/current", 4096);
  return own && std::string_view(own->c_str()) != "kernel";
}

void check_process_label(const std::string& label) { check_label(label, "selinux label", "process.selinuxLabel"); }

void check_mount_label(const std::string& label) { check_label(label, "selinux mount label", "linux.mountLabel"); }

void label_keys(const oci::Process& process, Proc proc) {
  if (process.selinux_label.empty()) return;
  auto file = open_proc(proc).open_at("thread-self/attr/keycreate", O_WRONLY);
  write_label(file.get(), process.selinux_label,
              "unable to apply selinux label: write /proc/thread-self/attr/keycreate");
}

ExecLabels::ExecLabels(const oci::Process& process, Proc proc)
    : process_(process), apparmor_(open_apparmor(process, proc)), selinux_(open_selinux(process, proc)) {}

void ExecLabels::set() const {
  if (apparmor_) {
    write_label(apparmor_->get(), cat("exec ", process_.apparmor_profile),
                "unable to apply apparmor profile: apparmor failed to apply profile: write "
                "/proc/thread-self/attr/apparmor/exec");
  }
  if (selinux_) {
    write_label(selinux_->get(), process_.selinux_label,
                "unable to apply selinux label: write /proc/thread-self/attr/exec");
  }
}

void label_directory(int mount, const std::string& label) {
  if (label.empty()) return;
  os::Fd directory = os::open_at(mount, ".", O_RDONLY | O_DIRECTORY);
  os::check(::fsetxattr(directory.get(), "security.selinux", label.data(), label.size(), 0), "set its selinux label");
}

}  // namespace proa::runtime
