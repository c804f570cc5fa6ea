#include "runtime/namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"
#include "os/file.h"
#include "os/process.h"
#include "os/syscalls.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace proa::runtime {
namespace {

struct Type {
  std::string_view name;
  int flag;
};
// In the order in which they are joined.
constexpr std::array<Type, 8> kTypes = {{{"user", CLONE_NEWUSER},
                                         {"ipc", CLONE_NEWIPC},
                                         {"uts", CLONE_NEWUTS},
                                         {"network", CLONE_NEWNET},
                                         {"pid", CLONE_NEWPID},
                                         {"cgroup", CLONE_NEWCGROUP},
                                         {"time", CLONE_NEWTIME},
                                         {"mount", CLONE_NEWNS}}};

}  // namespace

NamespacePlan plan_namespaces(const oci::Linux& linux) {
  NamespacePlan plan;
  for (const auto& wanted : linux.namespaces) {
    auto type = std::find_if(kTypes.begin(), kTypes.end(), [&](const Type& t) { return t.name == wanted.type; });
    if (type == kTypes.end()) {
      throw Error(ErrorKind::InvalidArgument, cat("unknown namespace type ", quoted(wanted.type)));
    }
    auto flag = static_cast<std::uint64_t>(type->flag);
    if (plan.owned & flag) {
      throw Error(ErrorKind::InvalidArgument, cat("malformed spec file: duplicated ns ", quoted(wanted.type)));
    }
    plan.owned |= flag;
    if (!wanted.path.empty()) {
      if (type->flag == CLONE_NEWPID) {
        plan.pid_path = wanted.path;
      } else {
        plan.joins.push_back({type->flag, wanted.path});
      }
    } else if (type->flag == CLONE_NEWCGROUP || type->flag == CLONE_NEWTIME) {
      plan.unshare_flags |= flag;
    } else {
      plan.clone_flags |= flag;
    }
  }
  if (plan.clone_flags & CLONE_NEWUSER) {
    plan.root_flags = plan.clone_flags & CLONE_NEWIPC;
    plan.clone_flags &= ~plan.root_flags;
  }
  std::sort(plan.joins.begin(), plan.joins.end(), [](const auto& a, const auto& b) {
    auto rank = [](int flag) {
      return std::find_if(kTypes.begin(), kTypes.end(), [&](const Type& t) { return t.flag == flag; }) - kTypes.begin();
    };
    return rank(a.flag) < rank(b.flag);
  });
  return plan;
}

os::Fd open_namespace(std::string_view path) {
  constexpr std::string_view kOwnFds = "/proc/self/fd/";
  if (path.starts_with(kOwnFds)) {
    if (auto number = parse_int<int>(path.substr(kOwnFds.size()))) {
      int copy = ::fcntl(*number, F_DUPFD_CLOEXEC, 3);
      return os::Fd(os::check(copy, cat("namespace ", path)));
    }
  }
  return os::open_file(path, O_RDONLY);
}

void join_namespaces(const NamespacePlan& plan) {
  for (const auto& join : plan.joins) {
    os::Fd fd = open_namespace(join.path);
    in_context(cat("join namespace ", join.path), [&] { os::set_namespace(fd.get(), join.flag); });
  }
}

void unshare_namespaces(const NamespacePlan& plan, const oci::Linux& linux) {
  if (plan.unshare_flags == 0) return;
  os::check(::unshare(static_cast<int>(plan.unshare_flags)), "unshare");
  if (!(plan.unshare_flags & CLONE_NEWTIME)) return;
  std::string text;
  for (const auto& [clock, offset] : linux.time_offsets)
    text += cat(clock, " ", offset.secs, " ", offset.nanosecs, "\n");
  if (!text.empty()) os::write_file("/proc/self/timens_offsets", text);
  // unshare(2) is for children only; older kernels keep it so across execve(2).
  os::Fd own = os::open_file("/proc/self/ns/time_for_children", O_RDONLY);
  os::set_namespace(own.get(), CLONE_NEWTIME);
}

void unshare_as_root(const NamespacePlan& plan) {
  if (plan.root_flags != 0) os::check(::unshare(static_cast<int>(plan.root_flags)), "unshare");
}

PidNamespaceForChildren::PidNamespaceForChildren(int fd) {
  if (fd < 0) return;
  own_ = os::open_file("/proc/self/ns/pid", O_RDONLY);
  in_context("pid namespace", [&] { os::set_namespace(fd, CLONE_NEWPID); });
}

PidNamespaceForChildren::~PidNamespaceForChildren() {
  if (own_) ::setns(own_.get(), CLONE_NEWPID);
}

std::string render_id_map(const std::vector<oci::IdMapping>& mappings) {
  std::string out;
  for (const auto& map : mappings) out += cat(map.container_id, " ", map.host_id, " ", map.size, "\n");
  return out;
}

namespace {

// False: it is not ours to give.
bool try_write_map(const std::string& file, const std::vector<oci::IdMapping>& mappings) {
  try {
    os::write_file(file, render_id_map(mappings));  // one write(2), as user_namespaces(7) wants it
    return true;
  } catch (const Error& error) {
    if (error.errno_code() != EPERM) throw;
    return false;
  }
}

// A user's ranges of /etc/subuid and /etc/subgid are given by programs with the capability for it.
void run_map_program(const char* program, pid_t pid, const std::vector<oci::IdMapping>& mappings) {
  os::RunOptions run;
  run.spawn.argv = {program, cat(pid)};
  for (const auto& map : mappings) {
    for (auto number : {map.container_id, map.host_id, map.size}) run.spawn.argv.push_back(cat(number));
  }
  std::string why;
  try {
    auto result = os::run_program(run);
    if (result.exit.code == 0) return;
    why = trim(result.err);
  } catch (const Error& error) {
    why = error.message();
  }
  throw Error(ErrorKind::Forbidden, cat(program, " failed to map ids: ", why,
                                        ": a user needs the package uidmap and ranges in /etc/subuid and /etc/subgid"));
}

}  // namespace

void write_id_maps(pid_t pid, const std::vector<oci::IdMapping>& uids, const std::vector<oci::IdMapping>& gids) {
  std::string process = cat("/proc/", pid);
  if (!try_write_map(process + "/uid_map", uids)) run_map_program("newuidmap", pid, uids);
  std::string file = process + "/gid_map";
  if (try_write_map(file, gids)) return;
  bool own_only = gids.size() == 1 && gids[0].size == 1 && gids[0].host_id == ::getegid();
  if (!own_only) return run_map_program("newgidmap", pid, gids);
  os::write_file(process + "/setgroups", "deny");  // the price of a group of one's own
  os::write_file(file, render_id_map(gids));
}

}  // namespace proa::runtime
