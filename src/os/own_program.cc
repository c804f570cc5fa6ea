#include "os/own_program.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "os/file.h"
#include "os/mount.h"

namespace proa::os {
namespace {

constexpr const char* kOwn = "/proc/self/exe";
constexpr unsigned kMayExecute = 0x10;  // MFD_EXEC of Linux 6.3
constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

Fd sealed_copy() {
  Fd copy(::memfd_create("proa", MFD_CLOEXEC | MFD_ALLOW_SEALING | kMayExecute));
  if (!copy && errno == EINVAL) copy = Fd(::memfd_create("proa", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!copy) fail("memfd_create");
  Fd own = open_file(kOwn, O_RDONLY);
  for (;;) {
    auto sent = check(::sendfile(copy.get(), own.get(), nullptr, 1 << 30), "copy of this program");
    if (sent == 0) break;
  }
  check(::fcntl(copy.get(), F_ADD_SEALS, kSeals), "seal the copy of this program");
  return copy;
}

}  // namespace

bool own_program_is_sealed() {
  struct statvfs where {};
  if (::statvfs(kOwn, &where) == 0 && (where.f_flag & ST_RDONLY)) return true;
  Fd own = open_file(kOwn, O_RDONLY);
  int seals = ::fcntl(own.get(), F_GET_SEALS);
  return seals >= 0 && (seals & kSeals) == kSeals;
}

Fd seal_own_program() {
  try {
    return read_only_file(kOwn);
  } catch (const Error& error) {
    // No right to mount, an older kernel, a filter, or a program that lies in no mount of ours.
    constexpr int kTolerated[] = {EPERM, EACCES, ENOSYS, EINVAL};
    if (std::find(std::begin(kTolerated), std::end(kTolerated), error.errno_code()) == std::end(kTolerated)) throw;
    return sealed_copy();
  }
}

std::string program_beside(std::string_view name) {
  char path[4096];
  ssize_t length = check(::readlink("/proc/self/exe", path, sizeof path), "readlink /proc/self/exe");
  return path_join(dir_name(std::string_view(path, static_cast<std::size_t>(length))), name);
}

}  // namespace proa::os
