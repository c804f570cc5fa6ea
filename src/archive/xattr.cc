#include "archive/xattr.h"

#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "os/fd.h"

namespace proa::archive {
namespace {

template <class Set>
void set_each(const std::vector<std::pair<std::string, std::string>>& xattrs, Set set) {
  for (const auto& [name, value] : xattrs) {
    if (!xattr_may_be_set(name)) continue;
    if (set(name.c_str(), value) < 0 && errno != ENOTSUP && errno != EPERM)
      os::fail(cat("extended attribute ", quoted(name)));
  }
}

// The two revisions of struct vfs_cap_data (linux/capability.h) that may be set.
bool is_capability(std::string_view value) {
  if (value.size() < 4) return false;
  auto revision = static_cast<unsigned char>(value[3]);
  return (value.size() == 20 && revision == 2) || (value.size() == 24 && revision == 3);
}

}  // namespace

bool xattr_may_be_set(std::string_view name) {
  return !name.starts_with("trusted.overlay.") && !name.starts_with("user.overlay.") && name != "security.selinux";
}

XattrVerdict judge_xattr(std::string_view name, std::string_view value, EntryType type) {
  if (!xattr_may_be_set(name)) return XattrVerdict::LeftOut;
  if (name == "system.posix_acl_access" || name == "system.posix_acl_default") return XattrVerdict::Acl;
  for (std::string_view prefix : {"user.", "trusted.", "security."}) {
    if (!name.starts_with(prefix)) continue;
    if (name == prefix || (name == "security.capability" && !is_capability(value))) return XattrVerdict::Refused;
    bool for_all = prefix != "user." || type == EntryType::File || type == EntryType::Directory;
    return for_all ? XattrVerdict::Kept : XattrVerdict::LeftOut;
  }
  return XattrVerdict::LeftOut;
}

void set_xattrs(const std::string& path, const std::vector<std::pair<std::string, std::string>>& xattrs) {
  set_each(xattrs, [&](const char* name, const std::string& value) {
    return ::lsetxattr(path.c_str(), name, value.data(), value.size(), 0);
  });
}

void set_xattrs(int fd, const std::vector<std::pair<std::string, std::string>>& xattrs) {
  set_each(xattrs, [&](const char* name, const std::string& value) {
    return ::fsetxattr(fd, name, value.data(), value.size(), 0);
  });
}

std::vector<std::pair<std::string, std::string>> portable_xattrs(const std::string& path) {
  std::vector<std::pair<std::string, std::string>> found;
  std::string names(64 << 10, '\0');
  ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
  if (size <= 0) return found;  // none, or not supported here
  names.resize(static_cast<std::size_t>(size));
  for (const auto& name : split(names, '\0')) {
    if (name != "security.capability" && !(name.starts_with("user.") && xattr_may_be_set(name))) continue;
    std::string value(64 << 10, '\0');
    ssize_t got = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (got < 0) continue;  // gone meanwhile
    value.resize(static_cast<std::size_t>(got));
    found.emplace_back(name, std::move(value));
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace proa::archive
