#include "runtime/seccomp.h"

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/fd.h"

namespace proa::runtime {

SeccompProgram compile_seccomp(const oci::Seccomp&, std::string_view) { return {}; }

void load_seccomp(const SeccompProgram& program) {
  if (program.instructions.empty()) return;
  sock_fprog filter{static_cast<unsigned short>(program.instructions.size()),
                    const_cast<sock_filter*>(program.instructions.data())};
  os::check(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, program.flags, &filter), "load the seccomp filter");
}

}  // namespace proa::runtime
