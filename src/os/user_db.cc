#include "os/user_db.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/text.h"
#include "os/file.h"

namespace proa::os {
namespace {

constexpr std::size_t kFileLimit = 10 << 20;
constexpr std::uint32_t kMaxId = 0x7fffffff;

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Digits are a number or an error, never a name (CVE-2016-3697, CVE-2024-40635).
std::optional<std::uint32_t> parse_id(std::string_view text) {
  if (!all_digits(text.substr(text.starts_with('-') ? 1 : 0))) return std::nullopt;
  auto id = parse_int<std::uint32_t>(text);
  if (!id || *id > kMaxId) throw Error(ErrorKind::InvalidArgument, "uids and gids must be in range 0-2147483647");
  return id;
}

template <class Each>
void each_line(std::string_view text, Each&& each) {
  while (!text.empty()) {
    auto end = text.find('\n');
    each(trim(text.substr(0, end)));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

std::uint32_t group_id(const std::vector<GroupEntry>& groups, std::string_view wanted) {
  if (auto number = parse_id(wanted)) return *number;
  for (const auto& entry : groups) {
    if (entry.name == wanted) return entry.gid;
  }
  throw Error(ErrorKind::InvalidArgument, cat("unable to find group ", wanted, ": no matching entries in group file"));
}

}  // namespace

std::vector<PasswdEntry> parse_passwd(std::string_view text) {
  std::vector<PasswdEntry> out;
  each_line(text, [&](std::string_view line) {
    if (line.empty() || line[0] == '#') return;
    auto fields = split(line, ':');
    if (fields.size() < 4) return;
    auto uid = parse_int<std::uint32_t>(fields[2]);
    auto gid = parse_int<std::uint32_t>(fields[3]);
    if (!uid || !gid || *uid > kMaxId || *gid > kMaxId) return;
    out.push_back({fields[0], *uid, *gid, fields.size() > 5 ? fields[5] : "", fields.size() > 6 ? fields[6] : ""});
  });
  return out;
}

std::vector<GroupEntry> parse_group(std::string_view text) {
  std::vector<GroupEntry> out;
  each_line(text, [&](std::string_view line) {
    if (line.empty() || line[0] == '#') return;
    auto fields = split(line, ':');
    if (fields.size() < 3) return;
    auto gid = parse_int<std::uint32_t>(fields[2]);
    if (!gid || *gid > kMaxId) return;
    GroupEntry entry{fields[0], *gid, {}};
    if (fields.size() > 3) {
      for (auto& member : split(fields[3], ',')) {
        if (!member.empty()) entry.members.push_back(std::move(member));
      }
    }
    out.push_back(std::move(entry));
  });
  return out;
}

ResolvedUser resolve_user(std::string_view user, std::span<const std::string> extra_groups, std::string_view passwd,
                          std::string_view group) {
  auto [user_part, group_part] = cut(user, ':');
  auto users = parse_passwd(passwd);
  auto groups = parse_group(group);
  ResolvedUser out;

  auto number = user_part.empty() ? std::optional<std::uint32_t>(0) : parse_id(user_part);
  const PasswdEntry* found = nullptr;
  for (const auto& entry : users) {
    if (number ? entry.uid == *number : entry.name == user_part) {
      found = &entry;
      break;
    }
  }
  if (!number && !found) {
    throw Error(ErrorKind::InvalidArgument,
                cat("unable to find user ", user_part, ": no matching entries in passwd file"));
  }
  out.uid = found ? found->uid : *number;
  if (found) {
    out.gid = found->gid;
    out.name = found->name;
    if (!found->home.empty()) out.home = found->home;
  }
  std::vector<std::uint32_t> more;
  if (group_part && !group_part->empty()) {
    // A group that is named is the only one; memberships of the file count only without it.
    out.gid = group_id(groups, *group_part);
  } else if (found) {
    for (const auto& entry : groups) {
      if (contains(entry.members, found->name)) more.push_back(entry.gid);
    }
  }
  for (const auto& name : extra_groups) more.push_back(group_id(groups, name));
  std::sort(more.begin(), more.end());
  more.erase(std::unique(more.begin(), more.end()), more.end());
  std::erase(more, out.gid);
  out.groups = std::move(more);
  return out;
}

std::string read_user_file(const RootedDir& root, std::string_view path) {
  auto fd = root.try_open_at(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) return "";
  struct stat info {};
  check(::fstat(fd->get(), &info), cat("stat ", path));
  if (!S_ISREG(info.st_mode)) throw Error(ErrorKind::InvalidArgument, cat(path, " is no regular file"));
  return in_context(path, [&] { return read_all(fd->get(), kFileLimit); });
}

ResolvedUser resolve_user(const RootedDir& root, std::string_view user, std::span<const std::string> extra_groups) {
  return resolve_user(user, extra_groups, read_user_file(root, "/etc/passwd"), read_user_file(root, "/etc/group"));
}

}  // namespace proa::os
