// CHILD: from all-powerful to what the specification lets the process be, in the order the kernel demands.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "oci/runtime_spec.h"
#include "runtime/capabilities.h"
#include "runtime/seccomp.h"

namespace proa::runtime {

// Groups, gid, uid and all five capability sets; CAP_SYS_ADMIN alone is kept until the filter is loaded.
class Confinement {
 public:
  Confinement(const oci::Process& process, const SeccompProgram* filter, std::vector<std::string>& warnings);
  void become_user();
  // The last steps: the filter, the final capabilities. Only execve follows. Returns what load_seccomp returns.
  int seal();

 private:
  const oci::Process& process_;
  const SeccompProgram* filter_;
  CapabilitySets sets_;
};

// chdir, then proof that the place lies in this root (CVE-2024-21626).
void enter_directory(const std::string& path);

}  // namespace proa::runtime
