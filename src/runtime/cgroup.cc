#include "runtime/cgroup.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/json_codec.h"
#include "base/text.h"
#include "base/time.h"
#include "base/trace.h"
#include "os/file.h"
#include "runtime/cgroup_plan.h"
#include "runtime/cgroup_unified.h"
#include "runtime/device_filter.h"
#include "runtime/systemd_scope.h"

namespace proa::json {
template <>
struct Fields<os::CgroupLayout::Hierarchy> {
  using T = os::CgroupLayout::Hierarchy;
  static constexpr auto list = std::tuple{always("directory", &T::directory), always("controllers", &T::controllers)};
};
template <>
struct Fields<os::CgroupLayout> {
  using T = os::CgroupLayout;
  static constexpr auto list =
      std::tuple{always("root", &T::root), always("unified", &T::unified), always("hierarchies", &T::hierarchies)};
};
template <>
struct Fields<runtime::ResctrlGroup> {
  using T = runtime::ResctrlGroup;
  static constexpr auto list =
      std::tuple{always("directory", &T::directory), optional("monitoring", &T::monitoring), optional("own", &T::own)};
};
template <>
struct Fields<runtime::CgroupHandle> {
  using T = runtime::CgroupHandle;
  static constexpr auto list =
      std::tuple{always("layout", &T::layout), always("path", &T::path), optional("unit", &T::unit),
                 optional("systemd", &T::systemd), optional("resctrl", &T::resctrl)};
};
}  // namespace proa::json

namespace proa::runtime {
namespace {

void pause_for(std::int64_t nanoseconds) {
  timespec time{static_cast<time_t>(nanoseconds / kSecond), static_cast<long>(nanoseconds % kSecond)};
  ::nanosleep(&time, nullptr);
}

bool is_cpuset(const os::CgroupLayout::Hierarchy& hierarchy) {
  return std::find(hierarchy.controllers.begin(), hierarchy.controllers.end(), "cpuset") != hierarchy.controllers.end();
}

// A v1 cpuset group has no processors until it is given some: its parent's. Parents of our own making hand theirs on.
void init_cpuset(const std::string& parent, const std::string& dir, bool leaf) {
  if (!leaf) os::write_cgroup_file(os::path_join(dir, "cgroup.clone_children"), "1");
  for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
    std::string own = os::path_join(dir, file);
    if (!trim(os::read_file(own)).empty()) continue;
    std::string inherited = os::read_file(os::path_join(parent, file));
    os::write_cgroup_file(own, trim(inherited));
  }
}

// True if the last directory was made now.
bool make_group(const std::string& root, const std::string& path, bool cpuset) {
  std::string full = os::path_join(root, path);
  std::string parent(os::dir_name(full));
  bool made = ::mkdir(full.c_str(), 0755) == 0;
  if (!made && errno == ENOENT) {
    std::string dir = root;
    auto parts = split(path, '/');
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].empty()) continue;
      std::string above = dir;
      dir = os::path_join(dir, parts[i]);
      made = ::mkdir(dir.c_str(), 0755) == 0;
      if (!made && errno != EEXIST) os::fail(cat("mkdir ", dir));
      if (made && cpuset) init_cpuset(above, dir, i + 1 == parts.size());
    }
    return made;
  }
  if (!made && errno != EEXIST) os::fail(cat("mkdir ", full));
  if (cpuset) init_cpuset(parent, full, true);
  return made;
}

std::string full_path(const CgroupHandle& cgroup, const CgroupWrite& write) {
  auto dir = cgroup.layout.directory(write.controller, cgroup.path);
  return dir ? os::path_join(*dir, write.file) : "";
}

// v2: what the parents hand down. v1: a hierarchy is mounted or it is not.
bool has_controller(const CgroupHandle& cgroup, const std::string& controller) {
  auto dir = cgroup.layout.directory(controller, cgroup.path);
  if (!dir || !cgroup.layout.unified) return dir.has_value();
  auto words = split(trim(os::try_read_file(os::path_join(*dir, "cgroup.controllers")).value_or("")), ' ');
  return controller == "cgroup" || std::find(words.begin(), words.end(), controller) != words.end();
}

bool host_has(const os::CgroupLayout& layout, const std::string& controller) {
  if (!layout.unified) return layout.directory(controller, "/").has_value();
  auto words = split(trim(os::try_read_file(os::path_join(layout.root, "cgroup.controllers")).value_or("")), ' ');
  return std::find(words.begin(), words.end(), controller) != words.end();
}

void apply_writes(const CgroupHandle& cgroup, const std::vector<CgroupWrite>& writes,
                  std::vector<std::string>& warnings) {
  os::Fd file;
  std::string opened;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    const auto& write = writes[i];
    if (write.instead && file) continue;
    bool has_other = i + 1 < writes.size() && writes[i + 1].instead;
    std::string path = full_path(cgroup, write);
    if (path != opened) {
      file = os::Fd(path.empty() ? -1 : ::open(path.c_str(), O_WRONLY | O_CLOEXEC));
      opened = path;
    }
    bool missing = !file && (path.empty() || errno == ENOENT);
    if (missing && write.named && !has_controller(cgroup, write.controller)) {
      throw Error(ErrorKind::Unavailable, cat("unified resource ", quoted(write.file), " can't be set: controller ",
                                              quoted(write.controller), " not available"));
    }
    if (missing && !write.named && (write.optional || !has_controller(cgroup, write.controller))) {
      if (!has_other) warnings.push_back(cat("this kernel has no ", write.file, ": the limit was left out"));
      continue;
    }
    if (!file) os::fail(cat("open ", path));
    auto written = ::write(file.get(), write.value.data(), write.value.size());
    if (written < 0) os::fail(cat("failed to write ", quoted(write.value), " to ", path));
  }
}

std::vector<std::string> group_tree(const std::string& top) {
  std::vector<std::string> out{top};
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!os::exists(out[i])) continue;
    for (const auto& name : os::list_dir(out[i])) {
      std::string path = os::path_join(out[i], name);
      struct stat info {};
      if (::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) out.push_back(path);
    }
  }
  return out;
}

// The hierarchy by which processes are counted and frozen.
std::string process_directory(const CgroupHandle& cgroup) {
  if (cgroup.path.empty()) throw Error(ErrorKind::InvalidArgument, "the container has no cgroup of its own");
  for (const char* controller : {"freezer", "pids", "devices", "memory"}) {
    if (auto dir = cgroup.layout.directory(controller, cgroup.path)) return *dir;
  }
  auto all = directories(cgroup);
  if (all.empty()) throw Error(ErrorKind::Unavailable, "this host has no cgroups");
  return all.front();
}

void set_frozen(const CgroupHandle& cgroup, bool frozen) {
  std::string dir = process_directory(cgroup);
  bool unified = cgroup.layout.unified;
  std::string control = os::path_join(dir, unified ? "cgroup.freeze" : "freezer.state");
  auto request = [&] {
    os::write_cgroup_file(control, unified ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED"));
  };
  request();
  // v1 may stay FREEZING while a task is between states: asked again, as the kernel's documentation says.
  auto deadline = monotonic_now() + 2 * kSecond;
  for (std::int64_t wait = 100'000; is_frozen(cgroup) != frozen; wait = std::min(wait * 2, 10 * kMillisecond)) {
    if (monotonic_now() > deadline) {
      if (frozen) os::write_cgroup_file(control, unified ? "0" : "THAWED");
      throw Error(ErrorKind::Deadline, frozen ? "unable to freeze" : "unable to thaw");
    }
    pause_for(wait);
    request();
  }
}

// What no write stands for, in words.
void warn_of_what_is_ignored(const oci::Resources& wanted, bool unified, std::vector<std::string>& warnings) {
  if (wanted.memory && wanted.memory->kernel.value_or(0) != 0) {
    warnings.push_back("kernel memory settings are ignored: kernels from 5.16 on have no such limit");
  }
  if (unified && wanted.block_io && wanted.block_io->leaf_weight.value_or(0) != 0) {
    warnings.push_back("blockIO.leafWeight is ignored: cgroup v2 has no such weight");
  }
}

// memory.checkBeforeUpdate: v1's kernel refuses a limit below what is used; v2's would kill.
void check_usage(const CgroupHandle& cgroup, const oci::Resources& resources) {
  if (!cgroup.layout.unified || !resources.memory || !resources.memory->check_before_update.value_or(false)) return;
  const auto& memory = *resources.memory;
  std::string dir = os::path_join(cgroup.layout.root, cgroup.path);
  auto number = [&](std::string_view file) { return os::read_cgroup_number(os::path_join(dir, file)).value_or(0); };
  auto used = number("memory.current");
  auto below = [](const std::optional<std::int64_t>& limit, std::uint64_t usage) {
    return limit && *limit > 0 && static_cast<std::uint64_t>(*limit) < usage;
  };
  if (below(memory.limit, used)) {
    throw Error(ErrorKind::Conflict, cat("rejecting memory limit ", *memory.limit, " < usage ", used));
  }
  used += number("memory.swap.current");
  if (below(memory.swap, used)) {
    throw Error(ErrorKind::Conflict, cat("rejecting memory+swap limit ", *memory.swap, " < usage ", used));
  }
}

// v2 has quota and period in one file: of the two, what an update does not name stays.
void keep_other_half(const CgroupHandle& cgroup, oci::CpuLimits& cpu) {
  bool quota = cpu.quota.value_or(0) != 0, period = cpu.period.value_or(0) != 0;
  if (!cgroup.layout.unified || quota == period) return;
  std::string file = os::path_join(os::path_join(cgroup.layout.root, cgroup.path), "cpu.max");
  auto words = split(trim(os::try_read_file(file).value_or("")), ' ');
  if (words.size() != 2) return;
  if (period) cpu.quota = parse_int<std::int64_t>(words[0]).value_or(-1);  // "max"
  if (quota) cpu.period = parse_int<std::uint64_t>(words[1]);
}

}  // namespace

std::vector<std::string> directories(const CgroupHandle& cgroup) {
  if (cgroup.path.empty()) return {};
  if (cgroup.layout.unified) return {os::path_join(cgroup.layout.root, cgroup.path)};
  std::vector<std::string> out;
  for (const auto& hierarchy : cgroup.layout.hierarchies) {
    auto part = cgroup.parts.find(hierarchy.directory);
    std::string path = part == cgroup.parts.end() ? cgroup.path : os::path_join(cgroup.path, part->second);
    out.push_back(os::path_join(os::path_join(cgroup.layout.root, hierarchy.directory), path));
  }
  return out;
}

Json to_json(const CgroupHandle& cgroup) { return json::encode(cgroup); }
CgroupHandle cgroup_from_json(const Json& value) { return json::decode<CgroupHandle>(value); }

CgroupHandle create_cgroup(const os::CgroupLayout& layout, std::string path, const oci::Resources* resources,
                           std::vector<std::string>& warnings, CgroupOptions options) {
  trace::Span span("runtime.cgroup");
  CgroupHandle cgroup{layout, os::clean_path(cat("/", path)), std::move(options.unit), std::move(options.systemd)};
  span.set("path", cgroup.path);
  if (cgroup.path == "/") throw Error(ErrorKind::InvalidArgument, "the root cgroup cannot be a container's");
  static const oci::Resources kNone;
  const oci::Resources& wanted = resources ? *resources : kNone;
  auto version = layout.unified ? CgroupVersion::Two : CgroupVersion::One;
  auto writes = plan_cgroup(wanted, version);
  if (options.skip_devices) {
    std::erase_if(writes, [](const CgroupWrite& write) { return write.controller == "devices"; });
  }
  for (auto [asked, controller] :
       {std::pair{!wanted.rdma.empty(), "rdma"}, {!wanted.hugepage_limits.empty(), "hugetlb"}}) {
    if (asked && !host_has(layout, controller)) {
      throw Error(ErrorKind::Unavailable,
                  cat("cannot set ", controller, " limit: this host has no such cgroup controller"));
    }
  }
  bool existed = false;
  try {
    if (layout.unified) {
      hand_down_controllers(layout.root, cgroup.path);
      existed = !make_group(layout.root, cgroup.path, false);
    } else {
      for (const auto& hierarchy : layout.hierarchies) {
        existed |= !make_group(os::path_join(layout.root, hierarchy.directory), cgroup.path, is_cpuset(hierarchy));
      }
    }
    if (existed && cgroup.unit.empty() && !pids(cgroup).empty()) {
      throw Error(ErrorKind::Conflict, cat("cgroup ", cgroup.path, " is in use"));
    }
    if (existed && is_frozen(cgroup)) {
      throw Error(ErrorKind::Conflict, cat("container's cgroup unexpectedly frozen: ", cgroup.path));
    }
    apply_writes(cgroup, writes, warnings);
    warn_of_what_is_ignored(wanted, layout.unified, warnings);
    if (layout.unified && !options.skip_devices) attach_device_filter(cgroup, wanted.devices);
  } catch (...) {
    if (!existed) destroy_cgroup(cgroup);
    throw;
  }
  std::string limits;
  for (const auto& write : writes) {
    if (write.controller != "devices") limits += cat(limits.empty() ? "" : " ", write.file, "=", write.value);
  }
  if (!limits.empty()) span.set("limits", limits);
  return cgroup;
}

os::Fd open_for_clone(const CgroupHandle& cgroup) {
  if (!cgroup.layout.unified || cgroup.path.empty()) return {};
  return os::open_file(os::path_join(cgroup.layout.root, cgroup.path), O_PATH | O_DIRECTORY);
}

void join_cgroup(const CgroupHandle& cgroup) {
  if (cgroup.layout.unified || cgroup.path.empty()) return;
  trace::Span span("runtime.cgroup.join");
  for (const auto& dir : directories(cgroup)) os::write_cgroup_file(os::path_join(dir, "tasks"), "0");
}

std::vector<std::string> update_cgroup(const CgroupHandle& cgroup, oci::Resources resources) {
  check_usage(cgroup, resources);
  if (resources.cpu) keep_other_half(cgroup, *resources.cpu);
  auto version = cgroup.layout.unified ? CgroupVersion::Two : CgroupVersion::One;
  std::vector<std::string> warnings;
  // v1: memsw may never be below limit, so what is written first hangs on what there is now.
  bool limit_first = false;
  if (auto dir = cgroup.layout.directory("memory", cgroup.path);
      dir && resources.memory && resources.memory->limit.value_or(0) != 0) {
    auto now = os::read_cgroup_number(os::path_join(*dir, "memory.memsw.limit_in_bytes"));
    limit_first = now && *resources.memory->limit >= 0 && static_cast<std::uint64_t>(*resources.memory->limit) <= *now;
  }
  if (!cgroup.unit.empty()) update_scope(cgroup, resources);
  apply_writes(cgroup, plan_cgroup(resources, version, {.update = true, .memory_first = limit_first}), warnings);
  warn_of_what_is_ignored(resources, cgroup.layout.unified, warnings);
  return warnings;
}

std::vector<pid_t> pids(const CgroupHandle& cgroup) {
  std::vector<pid_t> out;
  if (cgroup.path.empty()) return out;
  for (const auto& dir : group_tree(process_directory(cgroup))) {
    auto some = os::read_cgroup_pids(os::path_join(dir, "cgroup.procs"));
    out.insert(out.end(), some.begin(), some.end());
  }
  std::erase(out, 0);  // processes of a pid namespace that is not below ours
  return out;
}

void freeze(const CgroupHandle& cgroup) { set_frozen(cgroup, true); }
void thaw(const CgroupHandle& cgroup) { set_frozen(cgroup, false); }

bool is_frozen(const CgroupHandle& cgroup) {
  if (cgroup.path.empty()) return false;
  std::string dir = process_directory(cgroup);
  if (cgroup.layout.unified) {
    auto events = os::try_read_file(os::path_join(dir, "cgroup.events"));
    return events && os::cgroup_table_value(*events, "frozen").value_or(0) == 1;
  }
  auto state = os::try_read_file(os::path_join(dir, "freezer.state"));
  return state && trim(*state) == "FROZEN";
}

void kill_all(const CgroupHandle& cgroup, int signal) {
  if (cgroup.path.empty()) return;
  std::string dir = process_directory(cgroup);
  if (!os::exists(dir)) return;
  if (cgroup.layout.unified && signal == SIGKILL && os::exists(os::path_join(dir, "cgroup.kill"))) {
    try {
      return os::write_cgroup_file(os::path_join(dir, "cgroup.kill"), "1");
    } catch (const Error&) {
      if (!os::exists(dir)) return;  // systemd removes the group of a scope once it is empty
      throw;
    }
  }
  bool held = !is_frozen(cgroup);
  if (held) {
    try {
      freeze(cgroup);
    } catch (const Error&) {
      held = false;  // a task in an uninterruptible sleep: signalled all the same
    }
  }
  for (pid_t pid : pids(cgroup)) ::kill(pid, signal);
  if (held || signal == SIGKILL) thaw(cgroup);
}

std::uint64_t oom_kills(const CgroupHandle& cgroup) {
  auto dir = cgroup.path.empty() ? std::nullopt : cgroup.layout.directory("memory", cgroup.path);
  if (!dir) return 0;
  auto text = os::try_read_file(os::path_join(*dir, cgroup.layout.unified ? "memory.events" : "memory.oom_control"));
  return text ? os::cgroup_table_value(*text, "oom_kill").value_or(0) : 0;
}

bool destroy_cgroup(const CgroupHandle& cgroup) {
  if (cgroup.resctrl) remove_resctrl(*cgroup.resctrl);
  if (!cgroup.unit.empty()) stop_scope(cgroup);
  auto deadline = monotonic_now() + kSecond;
  for (std::int64_t wait = kMillisecond;; wait = std::min(wait * 2, 50 * kMillisecond)) {
    bool busy = false;
    for (const auto& top : directories(cgroup)) {
      if (::rmdir(top.c_str()) == 0 || errno == ENOENT) continue;
      auto tree = group_tree(top);
      for (auto dir = tree.rbegin(); dir != tree.rend(); ++dir) {
        if (::rmdir(dir->c_str()) < 0 && errno != ENOENT) busy = true;
      }
    }
    if (!busy) return true;
    if (monotonic_now() > deadline) return false;
    pause_for(wait);
  }
}

}  // namespace proa::runtime
