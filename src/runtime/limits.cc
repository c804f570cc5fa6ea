#include "runtime/limits.h"

#include <fcntl.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"
#include "os/file.h"

namespace proa::runtime {
namespace {

struct Named {
  std::string_view name;
  int number;
};
constexpr std::array<Named, 16> kRlimits = {{{"RLIMIT_AS", RLIMIT_AS},
                                             {"RLIMIT_CORE", RLIMIT_CORE},
                                             {"RLIMIT_CPU", RLIMIT_CPU},
                                             {"RLIMIT_DATA", RLIMIT_DATA},
                                             {"RLIMIT_FSIZE", RLIMIT_FSIZE},
                                             {"RLIMIT_LOCKS", RLIMIT_LOCKS},
                                             {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
                                             {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
                                             {"RLIMIT_NICE", RLIMIT_NICE},
                                             {"RLIMIT_NOFILE", RLIMIT_NOFILE},
                                             {"RLIMIT_NPROC", RLIMIT_NPROC},
                                             {"RLIMIT_RSS", RLIMIT_RSS},
                                             {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
                                             {"RLIMIT_RTTIME", RLIMIT_RTTIME},
                                             {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
                                             {"RLIMIT_STACK", RLIMIT_STACK}}};

constexpr std::array<std::string_view, 8> kIpcSysctls = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                                         "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                                         "kernel.shmmni", "kernel.shm_rmid_forced"};

struct SchedAttr {  // sched_setattr(2)
  std::uint32_t size, policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime, deadline, period;
};

constexpr std::array<Named, 7> kPolicies = {{{"SCHED_OTHER", 0},
                                             {"SCHED_FIFO", 1},
                                             {"SCHED_RR", 2},
                                             {"SCHED_BATCH", 3},
                                             {"SCHED_ISO", 4},
                                             {"SCHED_IDLE", 5},
                                             {"SCHED_DEADLINE", 6}}};
constexpr std::array<Named, 7> kSchedFlags = {{{"SCHED_FLAG_RESET_ON_FORK", 1},
                                               {"SCHED_FLAG_RECLAIM", 2},
                                               {"SCHED_FLAG_DL_OVERRUN", 4},
                                               {"SCHED_FLAG_KEEP_POLICY", 8},
                                               {"SCHED_FLAG_KEEP_PARAMS", 16},
                                               {"SCHED_FLAG_UTIL_CLAMP_MIN", 32},
                                               {"SCHED_FLAG_UTIL_CLAMP_MAX", 64}}};
constexpr std::array<Named, 3> kIoClasses = {{{"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
                                              {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
                                              {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE}}};

template <std::size_t N>
int number_of(const std::array<Named, N>& table, std::string_view name, std::string_view what) {
  for (const auto& entry : table) {
    if (entry.name == name) return entry.number;
  }
  throw Error(ErrorKind::InvalidArgument, cat(what, " ", quoted(name), " is unknown"));
}

}  // namespace

int rlimit_number(std::string_view name) { return number_of(kRlimits, name, "rlimit"); }

void set_rlimits(const std::vector<oci::Rlimit>& rlimits, std::vector<std::string>& warnings) {
  for (const auto& wanted : rlimits) {
    auto resource = static_cast<__rlimit_resource>(rlimit_number(wanted.type));
    rlimit limit{wanted.soft, wanted.hard};
    if (::setrlimit(resource, &limit) == 0) continue;
    if (errno != EPERM) os::fail(cat("error setting rlimit type ", wanted.type));
    rlimit now{};
    os::check(::getrlimit(resource, &now), cat("getrlimit ", wanted.type));
    limit.rlim_max = std::min(limit.rlim_max, now.rlim_max);
    limit.rlim_cur = std::min(limit.rlim_cur, limit.rlim_max);
    os::check(::setrlimit(resource, &limit), cat("error setting rlimit type ", wanted.type));
    warnings.push_back(cat(wanted.type, " was lowered to ", limit.rlim_cur, ":", limit.rlim_max, " instead of ",
                           wanted.soft, ":", wanted.hard, ": raising it needs CAP_SYS_RESOURCE"));
  }
}

void set_oom_score_adj(int score, std::vector<std::string>& warnings) {
  constexpr const char* kFile = "/proc/self/oom_score_adj";
  std::string current = os::read_file(kFile, 64);
  if (parse_int<int>(trim(current)) == score) return;
  std::string text = cat(score);
  os::Fd file(::open(kFile, O_WRONLY | O_CLOEXEC));  // not ours in an exec by an ordinary user
  if (file && ::write(file.get(), text.data(), text.size()) > 0) return;
  if (errno != EACCES && errno != EPERM) os::fail(cat("oom_score_adj ", score));
  warnings.push_back(cat("oom_score_adj ", score, " needs CAP_SYS_RESOURCE: it stays ", trim(current)));
}

void set_scheduling(const oci::Process& process) {
  if (process.scheduler) {
    const auto& wanted = *process.scheduler;
    SchedAttr attr{};
    attr.size = sizeof attr;
    attr.policy = static_cast<std::uint32_t>(number_of(kPolicies, wanted.policy, "scheduling policy"));
    for (const auto& flag : wanted.flags) {
      attr.flags |= static_cast<std::uint64_t>(number_of(kSchedFlags, flag, "scheduling flag"));
    }
    attr.nice = wanted.nice;
    attr.priority = static_cast<std::uint32_t>(wanted.priority);
    attr.runtime = wanted.runtime;
    attr.deadline = wanted.deadline;
    attr.period = wanted.period;
    os::check(::syscall(SYS_sched_setattr, 0, &attr, 0), "sched_setattr");
  }
  if (process.io_priority) {
    int io_class = number_of(kIoClasses, process.io_priority->class_name, "I/O priority class");
    auto value = IOPRIO_PRIO_VALUE(io_class, static_cast<int>(process.io_priority->priority));
    os::check(::syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value), "ioprio_set");
  }
}

void check_scheduling(const oci::Process& process) {
  auto refuse = [](std::string why) { throw Error(ErrorKind::InvalidArgument, std::move(why)); };
  if (process.io_priority) {
    number_of(kIoClasses, process.io_priority->class_name, "I/O priority class");
    auto priority = process.io_priority->priority;
    if (priority < 0 || priority > 7) refuse(cat("invalid ioPriority.Priority: ", priority));
  }
  if (process.exec_cpu_affinity) {
    parse_number_list(process.exec_cpu_affinity->initial, "execCPUAffinity.initial");
    parse_number_list(process.exec_cpu_affinity->final, "execCPUAffinity.final");
  }
  if (!process.scheduler) return;
  const auto& wanted = *process.scheduler;
  int policy = number_of(kPolicies, wanted.policy, "scheduling policy");
  for (const auto& flag : wanted.flags) number_of(kSchedFlags, flag, "scheduling flag");
  constexpr int kFifo = 1, kRoundRobin = 2, kDeadline = 6;
  if (wanted.nice < -20 || wanted.nice > 19) refuse(cat("invalid scheduler.nice: ", wanted.nice));
  if (wanted.priority != 0 && policy != kFifo && policy != kRoundRobin) {
    refuse("scheduler.priority can only be specified for SchedFIFO or SchedRR policy");
  }
  if (policy != kDeadline && (wanted.runtime != 0 || wanted.deadline != 0 || wanted.period != 0)) {
    refuse("scheduler runtime/deadline/period can only be specified for SchedDeadline policy");
  }
}

void check_personality(const oci::Personality& wanted) {
  if (wanted.domain != "LINUX" && wanted.domain != "LINUX32") {
    throw Error(ErrorKind::InvalidArgument, cat("personality ", quoted(wanted.domain), " is unknown"));
  }
  if (!wanted.flags.empty()) throw Error(ErrorKind::InvalidArgument, "personality flags are not supported");
}

void set_personality(const oci::Personality& wanted) {
  os::check(::personality(wanted.domain == "LINUX32" ? PER_LINUX32 : PER_LINUX), "personality");
}

std::string plan_sysctl(std::string_view key, const NamespacePlan& namespaces) {
  // The first separator decides whether "." or "/" divides; the other one is then part of a name (sysctl(8)).
  auto first = key.find_first_of("./");
  std::string name(key);
  if (first != std::string_view::npos && key[first] == '/') {
    for (char& c : name) c = c == '/' ? '.' : c == '.' ? '/' : c;
  }
  auto refuse = [&](std::string_view why) {
    throw Error(ErrorKind::InvalidArgument, cat("sysctl ", quoted(key), " ", why));
  };
  auto own = [&](int flag, std::string_view what) {
    if (!namespaces.own(flag)) refuse(cat("is not allowed in the hosts ", what, " namespace"));
  };
  for (char c : name) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && c != '.' && c != '_' && c != '-' && c != '/' && c != ':') refuse("has a name that cannot be");
  }
  if (name.empty() || name.front() == '.' || name.find("..") != std::string::npos || name.back() == '.') {
    refuse("has a name that cannot be");
  }
  if (std::find(kIpcSysctls.begin(), kIpcSysctls.end(), name) != kIpcSysctls.end() || name.starts_with("fs.mqueue.")) {
    own(CLONE_NEWIPC, "ipc");
  } else if (name.starts_with("net.")) {
    own(CLONE_NEWNET, "network");
  } else if (name == "kernel.domainname") {
    own(CLONE_NEWUTS, "uts");
  } else if (name == "kernel.hostname") {
    refuse("is not allowed: use the hostname of the specification");
  } else if (name.starts_with("user.")) {
    own(CLONE_NEWUSER, "user");
  } else {
    refuse("is not in a separate kernel namespace");
  }
  std::string path = name;
  for (char& c : path) c = c == '.' ? '/' : c == '/' ? '.' : c;
  for (const auto& part : split(path, '/')) {
    if (part.empty() || part == "." || part == "..") refuse("has a name that cannot be");
  }
  return path;
}

void set_sysctls(const std::map<std::string, std::string>& sysctls, const NamespacePlan& namespaces) {
  for (const auto& sysctl : sysctls) {
    std::string path = cat("/proc/sys/", plan_sysctl(sysctl.first, namespaces));
    in_context(cat("sysctl ", sysctl.first), [&] {
      os::Fd file = os::open_file(path, O_WRONLY | O_NOFOLLOW);
      os::write_all(file.get(), sysctl.second);
    });
  }
}

}  // namespace proa::runtime
