// CHILD: device nodes, the links every container has in /dev, and its console.
#pragma once

#include <sys/types.h>

#include <optional>

#include "oci/runtime_spec.h"
#include "os/fd.h"
#include "os/rooted_dir.h"
#include "os/tty.h"

namespace proa::runtime {

// null zero full random urandom tty, then linux.devices; fd stdin stdout stderr ptmx (and core). Nothing if /dev is a
// bind mount: it is somebody else's then. With `bind` (a user namespace) the host's nodes are bound, not made.
void make_devices(const os::RootedDir& root, const oci::Spec& spec, bool bind);

// A terminal of the container's own devpts.
os::TtyPair open_console(const os::RootedDir& root, const std::optional<oci::ConsoleSize>& size);
// Shows its slave at /dev/console.
void mount_console(const os::RootedDir& root, int slave);
// Session leader's controlling terminal, and 0, 1 and 2.
void adopt_console(int slave, uid_t owner);

}  // namespace proa::runtime
