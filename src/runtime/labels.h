// The labels of security modules, AppArmor and SELinux, that a container's processes, keys and mounts get: by the
// kernel's own files, without either module's library.
#pragma once

#include <optional>
#include <string>

#include "oci/runtime_spec.h"
#include "os/fd.h"

namespace proa::runtime {

// Where there is SELinux: its file system is mounted, may be written to, and a policy is loaded.
bool selinux_enabled();

// PARENT. Throws for a label that SELinux cannot give: it is not enabled, or its policy has no such label.
void check_process_label(const std::string& label);
void check_mount_label(const std::string& label);

// CHILD. Labels are written by a /proc that nobody has mounted anything over: through a path that a container may have
// covered another file than the label's would be written (CVE-2025-52881). Callers: who may not mount one takes the
// /proc that is there, which must be the caller's still.
enum class Proc { Callers, Private };

// Keys made from here on, the session keyring first, carry the process' label.
void label_keys(const oci::Process& process, Proc proc);

// What the next execve changes to; held open until it is set, for the container's own /proc lies over the host's then.
class ExecLabels {
 public:
  // Throws if AppArmor is asked for where it is not enabled.
  ExecLabels(const oci::Process& process, Proc proc);
  void set() const;

 private:
  const oci::Process& process_;
  std::optional<os::Fd> apparmor_, selinux_;
};

// What is mounted there, for a file system that takes no label where it is mounted.
void label_directory(int mount, const std::string& label);

}  // namespace proa::runtime
