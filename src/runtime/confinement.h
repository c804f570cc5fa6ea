// CHILD: from all-powerful to what the specification lets the process be, in the order the kernel demands.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "oci/runtime_spec.h"
#include "os/fd.h"
#include "runtime/capabilities.h"
#include "runtime/seccomp.h"

namespace proa::runtime {

// The file through which a label for the next execve is set; opened while /proc is the host's (CVE-2025-52881).
// Throws if a profile is asked for that this kernel cannot enforce.
std::optional<os::Fd> open_apparmor(const oci::Process& process);
void set_apparmor(const std::optional<os::Fd>& file, const oci::Process& process);

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
