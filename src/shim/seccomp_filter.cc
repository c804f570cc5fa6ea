#include "shim/seccomp_filter.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "os/file.h"

namespace proa::shim {

os::Fd compile_filter(const oci::Seccomp& profile) {
  os::Fd memory(os::check(::memfd_create("proa-seccomp", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create"));
  os::write_all(memory.get(), runtime::to_bytes(runtime::compile_seccomp(profile)));
  os::check(::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
            "F_ADD_SEALS");
  return memory;
}

runtime::SeccompProgram read_filter(const os::Fd& filter) {
  struct stat info {};
  os::check(::fstat(filter.get(), &info), "stat of a seccomp filter");
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  // At its own offset: the descriptor's is shared with all others that have this filter.
  auto got = os::check(::pread(filter.get(), bytes.data(), bytes.size(), 0), "read of a seccomp filter");
  bytes.resize(static_cast<std::size_t>(got));
  return runtime::program_from_bytes(bytes);
}

}  // namespace proa::shim
