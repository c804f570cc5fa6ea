#include "runtime/systemd_scope.h"

#include <signal.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "base/time.h"
#include "base/trace.h"
#include "os/file.h"
#include "os/host_info.h"
#include "os/syscalls.h"
#include "runtime/cgroup_plan.h"

namespace proa::runtime {
namespace {

constexpr std::string_view kSystemd = "org.freedesktop.systemd1";
constexpr std::string_view kManager = "org.freedesktop.systemd1.Manager";
constexpr std::string_view kObject = "/org/freedesktop/systemd1";

std::string call_manager(os::DBus& bus, std::string_view member, std::string_view signature, const os::DBusBody& body) {
  return in_context(cat("systemd: ", member), [&] {
    return bus.call({kSystemd, kObject, kManager, member, signature}, body);
  });
}

os::DBus connect(const CgroupHandle& cgroup) {
  // Containers of earlier versions have no socket noted: theirs are the system's.
  return os::DBus::connect_systemd(cgroup.systemd.empty() ? kSystemSocket : cgroup.systemd);
}

bool is_error(const Error& error, std::string_view name) { return error.message().find(name) != std::string::npos; }

// Properties are a(sv): each a structure of its name and a variant.
void property(os::DBusBody& body, std::string_view name, std::string_view type) {
  body.align(8);
  body.string(name);
  body.signature(type);
}
void text(os::DBusBody& body, std::string_view name, std::string_view value) {
  property(body, name, "s");
  body.string(value);
}
void flag(os::DBusBody& body, std::string_view name, bool value) {
  property(body, name, "b");
  body.boolean(value);
}
void number(os::DBusBody& body, std::string_view name, std::uint64_t value) {
  property(body, name, "t");
  body.u64(value);
}
void limit(os::DBusBody& body, std::string_view name, std::int64_t value) {
  number(body, name, value < 0 ? UINT64_MAX : static_cast<std::uint64_t>(value));
}

// "0-2" as systemd's bit mask.
void bit_mask(os::DBusBody& body, std::string_view name, const std::string& list) {
  std::string mask;
  for (int one : os::parse_cpu_list(list)) {
    auto at = static_cast<std::size_t>(one) / 8;
    if (mask.size() <= at) mask.resize(at + 1);
    mask[at] = static_cast<char>(mask[at] | (1 << (one % 8)));
  }
  property(body, name, "ay");
  auto array = body.begin_array(1);
  for (char byte : mask) body.byte(static_cast<std::uint8_t>(byte));
  body.end_array(array);
}

void cpu_properties(os::DBusBody& body, const oci::CpuLimits& cpu) {
  if (cpu.shares && *cpu.shares != 0) number(body, "CPUWeight", cpu_weight_of_shares(*cpu.shares));
  bool quota = cpu.quota && *cpu.quota != 0, period = cpu.period && *cpu.period != 0;
  if (quota || period) {
    std::uint64_t every = period ? *cpu.period : 100'000;
    number(body, "CPUQuotaPeriodUSec", every);
    bool limited = quota && *cpu.quota > 0;
    // systemd counts per second, in steps of 10 ms of it.
    auto rate = limited ? static_cast<std::uint64_t>(*cpu.quota) * 1'000'000 / every : 0;
    number(body, "CPUQuotaPerSecUSec", limited ? (rate + 9'999) / 10'000 * 10'000 : UINT64_MAX);
  }
  if (!cpu.cpus.empty()) bit_mask(body, "AllowedCPUs", cpu.cpus);
  if (!cpu.mems.empty()) bit_mask(body, "AllowedMemoryNodes", cpu.mems);
}

void append_pids(os::DBusBody& body, pid_t pid) {
  auto pids = body.begin_array(4);
  body.u32(static_cast<std::uint32_t>(pid));
  body.end_array(pids);
}

struct StartRequest {
  const ScopeName& name;
  const oci::Spec& spec;
  std::string_view id;
  const std::vector<UnitProperty>& more;
};

void start_properties(os::DBusBody& body, const StartRequest& request, pid_t pid) {
  text(body, "Description", cat("container ", request.id));
  text(body, "Slice", request.name.slice);
  text(body, "CollectMode", "inactive-or-failed");
  flag(body, "Delegate", true);
  flag(body, "DefaultDependencies", false);
  for (auto accounting : {"MemoryAccounting", "CPUAccounting", "IOAccounting", "TasksAccounting"}) {
    flag(body, accounting, true);
  }
  property(body, "PIDs", "au");
  append_pids(body, pid);
  for (const auto& [name, value] : request.more) {
    property(body, name, signature_of(value));
    append_gvariant(body, value);
  }
  // The last word is theirs: no annotation gets a container out of its limits.
  if (request.spec.linux.resources) append_resource_properties(body, *request.spec.linux.resources);
}

// systemd does not say which property has a value of the wrong type.
std::string names_and_types(const std::vector<UnitProperty>& properties) {
  std::string out;
  for (const auto& [name, value] : properties) {
    out += cat(out.empty() ? "" : ", ", name, " of type ", signature_of(value));
  }
  return out;
}

void start_unit(os::DBus& bus, const StartRequest& request, pid_t pid) {
  os::DBusBody body;
  body.string(request.name.unit);
  body.string("replace");
  auto properties = body.begin_array(8);
  start_properties(body, request, pid);
  body.end_array(properties);
  body.end_array(body.begin_array(8));  // no auxiliary units
  try {
    call_manager(bus, "StartTransientUnit", "ssa(sv)a(sa(sv))", body);
  } catch (const Error& error) {
    if (request.more.empty()) throw;
    throw Error(error.kind(), cat(error.message(), " (annotations give it ", names_and_types(request.more), ")"));
  }
}

os::Spawned waiting_process() {
  auto child = os::clone_process(0, -1);
  if (child.pid != 0) return {child.pid, std::move(child.pidfd)};
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  for (;;) ::pause();
}

// The whole path of the group that a process is in, once it is the scope's. (All that has to be known of where the
// user's systemd has its own.)
std::string wait_until_in(pid_t pid, const std::string& scope) {
  auto deadline = monotonic_now() + 30 * kSecond;
  for (std::int64_t wait = 200'000;; wait = std::min(wait * 2, 20 * kMillisecond)) {
    auto text = os::try_read_file(cat("/proc/", pid, "/cgroup"));
    auto path = text ? os::parse_proc_cgroup(*text, "") : std::nullopt;
    if (path && path->ends_with(scope)) return *path;
    if (monotonic_now() > deadline) throw Error(ErrorKind::Deadline, cat("systemd did not start ", scope, " in time"));
    timespec time{0, static_cast<long>(wait)};
    ::nanosleep(&time, nullptr);
  }
}

}  // namespace

bool names_scope(std::string_view cgroups_path) {
  return !cgroups_path.starts_with('/') && std::count(cgroups_path.begin(), cgroups_path.end(), ':') == 2;
}

std::string slice_path(std::string_view slice) {
  if (!slice.ends_with(".slice") || slice.find('/') != std::string_view::npos) {
    throw Error(ErrorKind::InvalidArgument, cat("invalid slice name: ", slice));
  }
  std::string_view name = slice.substr(0, slice.size() - 6);
  if (name == "-") return "/";
  std::string out, prefix;
  for (const auto& part : split(name, '-')) {
    if (part.empty()) throw Error(ErrorKind::InvalidArgument, cat("invalid slice name: ", slice));
    prefix += cat(prefix.empty() ? "" : "-", part);
    out += cat("/", prefix, ".slice");
  }
  return out;
}

ScopeName plan_scope(std::string_view cgroups_path, std::string_view id, std::string_view systemd) {
  std::vector<std::string> parts = {"", "proa", std::string(id)};
  if (!cgroups_path.empty()) {
    if (!names_scope(cgroups_path)) {
      throw Error(ErrorKind::InvalidArgument,
                  cat("expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got ",
                      quoted(cgroups_path), " instead"));
    }
    parts = split(cgroups_path, ':');
  }
  ScopeName out;
  out.slice = !parts[0].empty() ? parts[0] : systemd == kSystemSocket ? "system.slice" : "user.slice";
  std::string name = parts[2].empty() ? std::string(id) : parts[2];
  if (name.find('/') != std::string::npos) throw Error(ErrorKind::InvalidArgument, cat("invalid scope name: ", name));
  out.unit = parts[1].empty() ? cat(name, ".scope") : cat(parts[1], "-", name, ".scope");
  out.path = os::path_join(slice_path(out.slice), out.unit);
  return out;
}

std::string systemd_socket(bool rootless) {
  std::string of_system(kSystemSocket);
  // Root of a container that has a systemd of its own is let in.
  if (!rootless || ::access(of_system.c_str(), W_OK) == 0) return of_system;
  const char* own = ::getenv("XDG_RUNTIME_DIR");
  if (!own || !*own) {
    throw Error(ErrorKind::Unavailable, "rootless needs the user's own systemd, and $XDG_RUNTIME_DIR to find it by");
  }
  return os::path_join(own, "systemd/private");
}

void append_resource_properties(os::DBusBody& body, const oci::Resources& resources) {
  if (resources.memory) {
    // The same sums as for the files: OCI's swap has the memory in it.
    oci::Resources memory;
    memory.memory = resources.memory;
    for (const auto& write : plan_cgroup(memory, CgroupVersion::Two)) {
      auto value = write.value == "max" ? std::int64_t{-1} : parse_int<std::int64_t>(write.value).value_or(-1);
      if (write.file == "memory.max") limit(body, "MemoryMax", value);
      if (write.file == "memory.low") limit(body, "MemoryLow", value);
      if (write.file == "memory.swap.max") limit(body, "MemorySwapMax", value);
    }
  }
  if (resources.cpu) cpu_properties(body, *resources.cpu);
  if (resources.pids && resources.pids->limit && *resources.pids->limit != 0) {
    limit(body, "TasksMax", *resources.pids->limit);
  }
}

ScopeStart::ScopeStart(const os::CgroupLayout& layout, ScopeName name, std::string_view systemd, const oci::Spec& spec,
                       std::string_view id, const std::vector<UnitProperty>& properties)
    : name_(std::move(name)) {
  trace::Span span("runtime.systemd_scope");
  span.set("unit", name_.unit);
  if (!layout.unified)
    throw Error(ErrorKind::Unavailable, "the systemd cgroup driver needs a host with cgroup v2 alone");
  auto bus = os::DBus::connect_systemd(systemd);
  placeholder_ = waiting_process();
  StartRequest request{name_, spec, id, properties};
  try {
    try {
      start_unit(bus, request, placeholder_.pid);
    } catch (const Error& error) {
      // A scope of that name that failed is in the way until systemd is told to forget it.
      if (!is_error(error, "UnitExists")) throw;
      os::DBusBody body;
      body.string(name_.unit);
      call_manager(bus, "ResetFailedUnit", "s", body);
      start_unit(bus, request, placeholder_.pid);
    }
    name_.path = wait_until_in(placeholder_.pid, name_.path);
  } catch (...) {
    release();
    throw;
  }
}

void ScopeStart::release() noexcept {
  if (!placeholder_.pidfd) return;
  os::try_signal_pidfd(placeholder_.pidfd.get(), SIGKILL);
  os::wait_exit(placeholder_.pidfd.get());
  placeholder_.pidfd.reset();
}

void update_scope(const CgroupHandle& cgroup, const oci::Resources& resources) {
  os::DBusBody body;
  body.string(cgroup.unit);
  body.boolean(true);  // until the next boot
  auto properties = body.begin_array(8);
  append_resource_properties(body, resources);
  body.end_array(properties);
  auto bus = connect(cgroup);
  call_manager(bus, "SetUnitProperties", "sba(sv)", body);
}

void stop_scope(const CgroupHandle& cgroup) {
  os::DBusBody body;
  body.string(cgroup.unit);
  body.string("replace");
  try {
    auto bus = connect(cgroup);
    call_manager(bus, "StopUnit", "ss", body);
  } catch (const Error&) {
    // It is gone already, or so is systemd: the directory is removed in any case.
  }
}

void attach_to_scope(const CgroupHandle& cgroup, pid_t pid) {
  os::DBusBody body;
  body.string(cgroup.unit);
  body.string("/");
  append_pids(body, pid);
  auto bus = connect(cgroup);
  call_manager(bus, "AttachProcessesToUnit", "ssau", body);
  wait_until_in(pid, cgroup.path);
}

}  // namespace proa::runtime
