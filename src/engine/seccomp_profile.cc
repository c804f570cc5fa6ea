#include "engine/seccomp_profile.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace proa::engine {
namespace {

// Always allowed. (ptrace and process_vm_* since kernel 4.8, where they no longer get past the filter.)
constexpr std::string_view kAllowed =
    "_llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown "
    "chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
    "clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 "
    "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old "
    "eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate "
    "fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr "
    "file_getattr file_setattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs "
    "fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake "
    "futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid "
    "geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid "
    "getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname "
    "getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init "
    "inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup "
    "io_submit ioctl ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset "
    "landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listxattr listxattrat llistxattr "
    "lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret "
    "mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify "
    "mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal "
    "msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat open "
    "openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll "
    "ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev "
    "pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv "
    "recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat "
    "renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn "
    "rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max "
    "sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler "
    "sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
    "sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile "
    "sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 "
    "setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 "
    "setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 "
    "setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn "
    "socketcall socketpair splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs "
    "sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
    "timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime "
    "timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime "
    "utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev ";

struct ForCapability {
  std::string_view capability;
  std::string_view names;
};
constexpr std::array kForCapability = {
    ForCapability{"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    ForCapability{
        "CAP_SYS_ADMIN",
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr "
        "lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl "
        "quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare"},
    ForCapability{"CAP_SYS_BOOT", "reboot"},
    ForCapability{"CAP_SYS_CHROOT", "chroot"},
    ForCapability{"CAP_SYS_MODULE", "delete_module init_module finit_module"},
    ForCapability{"CAP_SYS_PACCT", "acct"},
    ForCapability{"CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"},
    ForCapability{"CAP_SYS_RAWIO", "iopl ioperm"},
    ForCapability{"CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64"},
    ForCapability{"CAP_SYS_TTY_CONFIG", "vhangup"},
    ForCapability{"CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    ForCapability{"CAP_SYSLOG", "syslog"},
    ForCapability{"CAP_BPF", "bpf"},
    ForCapability{"CAP_PERFMON", "perf_event_open"},
};

struct ForArchitecture {
  std::string_view architectures;  // Go's names
  std::string_view names;
};
constexpr std::array kForArchitecture = {
    ForArchitecture{"amd64", "arch_prctl modify_ldt"},
    ForArchitecture{"386", "modify_ldt"},
    ForArchitecture{"arm arm64", "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"},
    ForArchitecture{"ppc64le", "sync_file_range2 swapcontext"},
    ForArchitecture{"s390x", "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr"},
    ForArchitecture{"riscv64", "riscv_flush_icache riscv_hwprobe"},
};

struct Architectures {
  std::string_view architecture;
  std::string_view names;
};
constexpr std::array kArchitectures = {
    Architectures{"amd64", "SCMP_ARCH_X86_64 SCMP_ARCH_X86 SCMP_ARCH_X32"},
    Architectures{"arm64", "SCMP_ARCH_AARCH64 SCMP_ARCH_ARM"},
    Architectures{"s390x", "SCMP_ARCH_S390X SCMP_ARCH_S390"},
    Architectures{"riscv64", "SCMP_ARCH_RISCV64"},
    Architectures{"loong64", "SCMP_ARCH_LOONGARCH64"},
};

constexpr std::uint64_t kNewNamespaces = 0x7E020000;  // CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
constexpr std::uint32_t kEperm = 1, kEnosys = 38;

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  for (auto& word : split(text, ' ')) {
    if (!word.empty()) out.push_back(std::move(word));
  }
  return out;
}

oci::SeccompRule allow(std::vector<std::string> names, std::vector<oci::SeccompArg> args = {}) {
  oci::SeccompRule rule;
  rule.names = std::move(names);
  rule.action = "SCMP_ACT_ALLOW";
  rule.args = std::move(args);
  return rule;
}

oci::SeccompArg arg(std::uint32_t index, std::uint64_t value, std::string op, std::uint64_t value_two = 0) {
  return {.index = index, .value = value, .value_two = value_two, .op = std::move(op)};
}

void add_conditional(oci::Seccomp& out, const std::set<std::string>& capabilities, const std::string& architecture) {
  // No AF_ALG (38) and no AF_VSOCK (40).
  out.syscalls.push_back(allow({"socket"}, {arg(0, 38, "SCMP_CMP_LT")}));
  out.syscalls.push_back(allow({"socket"}, {arg(0, 39, "SCMP_CMP_EQ")}));
  out.syscalls.push_back(allow({"socket"}, {arg(0, 40, "SCMP_CMP_GT")}));
  for (std::uint64_t persona : {0x0ULL, 0x8ULL, 0x20000ULL, 0x20008ULL, 0xffffffffULL}) {
    out.syscalls.push_back(allow({"personality"}, {arg(0, persona, "SCMP_CMP_EQ")}));
  }
  for (const auto& entry : kForArchitecture) {
    auto list = words(entry.architectures);
    if (std::find(list.begin(), list.end(), architecture) != list.end())
      out.syscalls.push_back(allow(words(entry.names)));
  }
  for (const auto& entry : kForCapability) {
    if (capabilities.contains(std::string(entry.capability))) out.syscalls.push_back(allow(words(entry.names)));
  }
  if (!capabilities.contains("CAP_SYS_ADMIN")) {
    std::uint32_t flags = architecture == "s390x" ? 1 : 0;
    out.syscalls.push_back(allow({"clone"}, {arg(flags, kNewNamespaces, "SCMP_CMP_MASKED_EQ", 0)}));
    oci::SeccompRule clone3;  // ENOSYS, so that the C library falls back to clone
    clone3.names = {"clone3"};
    clone3.action = "SCMP_ACT_ERRNO";
    clone3.errno_ret = kEnosys;
    out.syscalls.push_back(std::move(clone3));
  }
}

std::vector<std::string> strings_at(const Json& value, std::string_view key) {
  std::vector<std::string> out;
  if (const Json* list = json::find(value, key); list && list->is_array()) {
    for (const Json& item : list->get_array()) {
      if (item.is_string()) out.emplace_back(item.get_string());
    }
  }
  return out;
}

bool any_in(const std::vector<std::string>& wanted, const std::set<std::string>& have) {
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& x) { return have.contains(x); });
}
bool all_in(const std::vector<std::string>& wanted, const std::set<std::string>& have) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& x) { return have.contains(x); });
}

// Docker's "includes" and "excludes" of one rule.
bool applies(const Json& rule, const std::set<std::string>& capabilities, const std::string& architecture) {
  if (const Json* includes = json::find(rule, "includes"); includes && includes->is_object()) {
    auto arches = strings_at(*includes, "arches");
    if (!arches.empty() && std::find(arches.begin(), arches.end(), architecture) == arches.end()) return false;
    if (!all_in(strings_at(*includes, "caps"), capabilities)) return false;
  }
  if (const Json* excludes = json::find(rule, "excludes"); excludes && excludes->is_object()) {
    auto arches = strings_at(*excludes, "arches");
    if (std::find(arches.begin(), arches.end(), architecture) != arches.end()) return false;
    if (any_in(strings_at(*excludes, "caps"), capabilities)) return false;
  }
  return true;
}

oci::SeccompRule rule_from_json(const Json& item) {
  oci::SeccompRule rule;
  rule.names = strings_at(item, "names");
  if (auto name = json::string_at(item, "name"); !name.empty()) {
    if (!rule.names.empty()) {
      throw Error(ErrorKind::InvalidArgument,
                  "'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'");
    }
    rule.names = {name};
  }
  rule.action = json::string_at(item, "action");
  if (const Json* code = json::find(item, "errnoRet"); code && code->is_int64()) {
    rule.errno_ret = static_cast<std::uint32_t>(code->get_int64());
  }
  if (const Json* args = json::find(item, "args"); args && args->is_array()) {
    for (const Json& one : args->get_array()) {
      oci::SeccompArg out;
      out.index = static_cast<std::uint32_t>(json::int_at(one, "index"));
      auto number = [&](std::string_view key) -> std::uint64_t {
        const Json* value = json::find(one, key);
        if (!value) return 0;
        return value->is_uint64() ? value->get_uint64() : static_cast<std::uint64_t>(json::int_at(one, key));
      };
      out.value = number("value");
      out.value_two = number("valueTwo");
      out.op = json::string_at(one, "op");
      rule.args.push_back(std::move(out));
    }
  }
  return rule;
}

std::vector<std::string> architectures_of(const std::string& architecture) {
  for (const auto& entry : kArchitectures) {
    if (entry.architecture == architecture) return words(entry.names);
  }
  return {};
}

}  // namespace

oci::Seccomp default_seccomp(const std::set<std::string>& capabilities, const std::string& architecture) {
  oci::Seccomp out;
  out.default_action = "SCMP_ACT_ERRNO";
  out.default_errno_ret = kEperm;
  out.architectures = architectures_of(architecture);
  out.syscalls.push_back(allow(words(kAllowed)));
  add_conditional(out, capabilities, architecture);
  return out;
}

oci::Seccomp seccomp_from_json(const Json& profile, const std::set<std::string>& capabilities,
                               const std::string& architecture) {
  if (!profile.is_object())
    throw Error(ErrorKind::InvalidArgument, "Decoding seccomp profile failed: it is no JSON object");
  oci::Seccomp out;
  out.default_action = json::string_at(profile, "defaultAction");
  if (out.default_action.empty()) {
    throw Error(ErrorKind::InvalidArgument, "Decoding seccomp profile failed: defaultAction is missing");
  }
  if (const Json* code = json::find(profile, "defaultErrnoRet"); code && code->is_int64()) {
    out.default_errno_ret = static_cast<std::uint32_t>(code->get_int64());
  }
  out.architectures = strings_at(profile, "architectures");
  out.flags = strings_at(profile, "flags");
  out.listener_path = json::string_at(profile, "listenerPath");
  out.listener_metadata = json::string_at(profile, "listenerMetadata");
  if (const Json* map = json::find(profile, "archMap"); map && map->is_array() && !map->get_array().empty()) {
    if (!out.architectures.empty()) {
      throw Error(ErrorKind::InvalidArgument,
                  "'architectures' and 'archMap' were specified in the seccomp profile, use either 'architectures' or "
                  "'archMap'");
    }
    auto ours = architectures_of(architecture);
    for (const Json& entry : map->get_array()) {
      auto name = json::string_at(entry, "architecture");
      if (ours.empty() || name != ours.front()) continue;
      out.architectures.push_back(name);
      for (auto& sub : strings_at(entry, "subArchitectures")) out.architectures.push_back(std::move(sub));
    }
  }
  if (const Json* rules = json::find(profile, "syscalls"); rules && rules->is_array()) {
    for (const Json& item : rules->get_array()) {
      if (!applies(item, capabilities, architecture)) continue;
      auto rule = rule_from_json(item);
      if (!rule.names.empty()) out.syscalls.push_back(std::move(rule));
    }
  }
  return out;
}

}  // namespace proa::engine
