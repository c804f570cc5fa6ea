// linux.seccomp as a classic BPF program, compiled here: per architecture a binary search over system call numbers,
// so that compiling takes microseconds and the kernel's own emulation of it (for its action cache) is short.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "oci/runtime_spec.h"

namespace proa::runtime {

struct SeccompProgram {
  std::vector<sock_filter> instructions;
  std::uint32_t flags = 0;  // SECCOMP_FILTER_FLAG_*
};

// The native architecture is always there. Names that no table knows are left out, as runc does; system calls newer
// than all that the profile names answer ENOSYS instead of an errno default action. Throws InvalidArgument. Pure.
SeccompProgram compile_seccomp(const oci::Seccomp& profile, std::string_view native = "");
// A program on its way to another process of ours.
std::string to_bytes(const SeccompProgram& program);
// Throws DataLoss for what is none.
SeccompProgram program_from_bytes(std::string_view bytes);
// What a profile still has to say beside its compiled filter: flags, and who supervises.
void drop_compiled_rules(oci::Seccomp& profile);
// CHILD. The descriptor that a supervisor listens on, close-on-exec; -1 where no rule notifies one.
int load_seccomp(const SeccompProgram& program);

}  // namespace proa::runtime
