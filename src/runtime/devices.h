// CHILD: device nodes, the links every container has in /dev, and its console.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "oci/runtime_spec.h"
#include "os/fd.h"
#include "os/rooted_dir.h"
#include "os/tty.h"

namespace proa::runtime {

// null zero full random urandom tty, then linux.devices; fd stdin stdout stderr ptmx (and core). Nothing if /dev is a
// bind mount: it is somebody else's then. With `bind` (a user namespace) the host's nodes are bound, not made.
void make_devices(const os::RootedDir& root, const oci::Spec& spec, bool bind);

mode_t device_type(const oci::Device& device);  // S_IFCHR, S_IFBLK, S_IFIFO; throws InvalidArgument. Pure.
// The paths of all of them.
std::vector<std::string> device_paths(const oci::Spec& spec);

// A terminal of the container's own devpts.
os::TtyPair open_console(const os::RootedDir& root, const std::optional<oci::ConsoleSize>& size);
// Shows its slave at /dev/console.
void mount_console(const os::RootedDir& root, int slave);
// Standard streams that are the host's null device become the container's: no file of the host's stays open, and CRIU
// finds them. Where the container has no such device they stay what they are.
void adopt_null(const os::RootedDir& root);
// Session leader's controlling terminal, and 0, 1 and 2.
void adopt_console(int slave, uid_t owner);

}  // namespace proa::runtime
