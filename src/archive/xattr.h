// Extended attributes that may travel in an archive.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/tar_entry.h"

namespace proa::archive {

// False for those that would speak to this host's overlayfs or LSM: trusted.overlay.*, user.overlay.*,
// security.selinux.
bool xattr_may_be_set(std::string_view name);

// What a Linux file system does with an attribute of a file of this type. Refused: the kernel calls it invalid. Acl: it
// is kept, and changes the mode too.
enum class XattrVerdict { Kept, LeftOut, Refused, Acl };
XattrVerdict judge_xattr(std::string_view name, std::string_view value, EntryType type);

// On what `path` (of ours, through /proc/self/fd) names, last component not followed. What the file system does not
// know or we may not set is left out, as docker does it; other failures throw.
void set_xattrs(const std::string& path, const std::vector<std::pair<std::string, std::string>>& xattrs);
void set_xattrs(int fd, const std::vector<std::pair<std::string, std::string>>& xattrs);

// security.capability and user.*, sorted; last component not followed.
std::vector<std::pair<std::string, std::string>> portable_xattrs(const std::string& path);

}  // namespace proa::archive
