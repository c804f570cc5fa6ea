// Who a container's process runs as: /etc/passwd and /etc/group of its root, read without NSS (security.md rows 1, 12,
// 20 to 22): all digits are always a number, a primary group is always among the groups, files are bounded.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "os/rooted_dir.h"

namespace proa::os {

struct PasswdEntry {
  std::string name;
  std::uint32_t uid = 0, gid = 0;
  std::string home, shell;
};
struct GroupEntry {
  std::string name;
  std::uint32_t gid = 0;
  std::vector<std::string> members;
};

// Lines that make no sense are left out. Pure.
std::vector<PasswdEntry> parse_passwd(std::string_view text);
std::vector<GroupEntry> parse_group(std::string_view text);

struct ResolvedUser {
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> groups;  // supplementary: of /etc/group and `extra_groups`, without gid, sorted
  std::string name;                   // "" if the uid has no entry
  std::string home = "/";
};

// `user` as docker's USER and --user: "", "name", "uid", "name:group", "uid:gid". Texts of the two files, "" if absent.
// Throws InvalidArgument ("unable to find user x: no matching entries in passwd file") with docker's words. Pure.
ResolvedUser resolve_user(std::string_view user, std::span<const std::string> extra_groups, std::string_view passwd,
                          std::string_view group);
// The same with the files of a container's root.
ResolvedUser resolve_user(const RootedDir& root, std::string_view user, std::span<const std::string> extra_groups);

// The file's text, "" if it is missing; a link that leaves the root stays inside; more than 10 MiB, a FIFO or a device
// is an Error.
std::string read_user_file(const RootedDir& root, std::string_view path);

}  // namespace proa::os
