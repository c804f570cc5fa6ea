// A detached overlay mount (Documentation/filesystems/overlayfs.rst).
#pragma once

#include <string>
#include <vector>

#include "os/fd.h"

namespace proa::os {

struct Overlay {
  std::vector<std::string> lowers = {};  // topmost first, at least one
  std::string upper = {}, work = {};     // "": read-only
  bool is_volatile = false;              // nothing in the upper is ever synced; not to be mounted again after a crash
  bool several_file_systems = false;     // the layers'; xino: files have one device number, and keep their inode's
};

// How directories are named to the kernel: Linux 6.13 takes descriptors, 6.5 one layer at a time ("lowerdir+"), older
// ones all in one string.
enum class OverlayApi { Descriptors, PerLayer, Classic };

Fd mount_overlay(const Overlay& overlay);  // by the newest that this kernel has
Fd mount_overlay(const Overlay& overlay, OverlayApi api);

}  // namespace proa::os
