// openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS) by hand, for where that call is missing or denied.
#pragma once

#include <sys/types.h>

#include <string_view>

namespace proa::os {

// As openat2(2): a descriptor (close-on-exec), or -1 and errno. No step leaves the root, whatever is swapped meanwhile:
// links are read and followed here, and ".." goes back to the directory that was come from.
int walk_in_root(int root, std::string_view path, int flags, mode_t mode);

}  // namespace proa::os
