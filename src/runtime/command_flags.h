// The flags of every command, which are runc's, and what --help says of them.
#pragma once

#include "runtime/arguments.h"

namespace proa::runtime {

inline constexpr FlagSpec kBundle{"bundle", "b", true, "the bundle's directory (default: the current one)"};
inline constexpr FlagSpec kConsoleSocket{"console-socket", "", true,
                                         "unix socket that is sent the terminal's master descriptor"};
inline constexpr FlagSpec kPidfdSocket{"pidfd-socket", "", true, "unix socket that is sent a pidfd of the process"};
inline constexpr FlagSpec kPidFile{"pid-file", "", true, "file to write the process' id to"};
inline constexpr FlagSpec kNoPivot{"no-pivot", "", false, "chroot into the root instead of pivot_root (ramdisks)"};
inline constexpr FlagSpec kNoNewKeyring{"no-new-keyring", "", false, "keep the caller's session keyring"};
inline constexpr FlagSpec kPreserveFds{"preserve-fds", "", true,
                                       "pass on N descriptors after the standard streams and $LISTEN_FDS (default: 0)"};
inline constexpr FlagSpec kDetach{"detach", "d", false, "do not wait for the process"};
inline constexpr FlagSpec kNoSubreaper{"no-subreaper", "", false, "accepted, and without effect"};
inline constexpr FlagSpec kFormat{"format", "f", true, "table or json (default: table)"};

inline constexpr FlagSpec kCreateFlags[] = {kBundle,  kConsoleSocket, kPidfdSocket, kPidFile,
                                            kNoPivot, kNoNewKeyring,  kPreserveFds};
inline constexpr FlagSpec kRunFlags[] = {
    kBundle,      kConsoleSocket, kPidfdSocket,
    kPidFile,     kNoPivot,       kNoNewKeyring,
    kPreserveFds, kDetach,        {"keep", "", false, "leave the container there when it has ended"},
    kNoSubreaper};
inline constexpr FlagSpec kExecFlags[] = {
    kConsoleSocket,
    kPidfdSocket,
    {"cwd", "", true, "working directory in the container"},
    {"env", "e", true, "NAME=VALUE, a variable more; may be repeated"},
    {"tty", "t", false, "give the process a terminal"},
    {"user", "u", true, "UID[:GID]"},
    {"additional-gids", "g", true, "a supplementary group's id; may be repeated"},
    {"process", "p", true, "file with the process as config.json describes one, in place of COMMAND"},
    kDetach,
    kPidFile,
    {"process-label", "", true, "SELinux label of the process"},
    {"apparmor", "", true, "AppArmor profile of the process"},
    {"no-new-privs", "", false, "the process can gain no privileges"},
    {"cap", "c", true, "a capability more; may be repeated"},
    kPreserveFds,
    {"cgroup", "", true,
     "[CONTROLLER[,CONTROLLER]:]PATH, a group below the container's that is there; may be repeated"},
    {"ignore-paused", "", false, "also in a paused container"}};
inline constexpr FlagSpec kKillFlags[] = {{"all", "a", false, "signal every process of the container"}};
inline constexpr FlagSpec kDeleteFlags[] = {{"force", "f", false, "end the container first if it still runs"}};
inline constexpr FlagSpec kListFlags[] = {kFormat, {"quiet", "q", false, "IDs alone"}};
inline constexpr FlagSpec kPsFlags[] = {kFormat};
inline constexpr FlagSpec kEventsFlags[] = {{"stats", "", false, "show the statistics once, then end"},
                                            {"interval", "", true, "time between statistics (default: 5s)"}};
inline constexpr FlagSpec kSpecFlags[] = {
    kBundle, {"rootless", "", false, "for an ordinary user: a user namespace, and nothing that needs root"}};
inline constexpr FlagSpec kCheckpointFlags[] = {
    {"image-path", "", true, "directory for CRIU's images (default: checkpoint)"},
    {"work-path", "", true, "directory for CRIU's log and other files"},
    {"parent-path", "", true, "images of an earlier --pre-dump"},
    {"leave-running", "", false, "the container goes on afterwards"},
    {"tcp-established", "", false, "with open TCP connections"},
    {"tcp-skip-in-flight", "", false, "without TCP connections that are being made"},
    {"link-remap", "", false, "with files that are open and deleted"},
    {"ext-unix-sk", "", false, "with unix sockets to the outside"},
    {"shell-job", "", false, "with a terminal of the caller's"},
    {"lazy-pages", "", false, "memory is fetched when it is used (userfaultfd)"},
    {"status-fd", "", true, "descriptor that CRIU writes a zero byte to when --lazy-pages is ready"},
    {"page-server", "", true, "ADDRESS:PORT that memory is sent to"},
    {"file-locks", "", false, "with file locks"},
    {"pre-dump", "", false, "memory alone; the container goes on"},
    {"manage-cgroups-mode", "", true, "soft, full, strict or ignore (default: soft)"},
    {"empty-ns", "", true, "namespace that is restored without its contents: network"},
    {"auto-dedup", "", false, "memory that a later image has is dropped from earlier ones"}};
inline constexpr FlagSpec kRestoreFlags[] = {
    kBundle,
    kConsoleSocket,
    {"image-path", "", true, "directory of CRIU's images (default: checkpoint)"},
    {"work-path", "", true, "directory for CRIU's log and other files"},
    {"tcp-established", "", false, "with open TCP connections"},
    {"ext-unix-sk", "", false, "with unix sockets to the outside"},
    {"shell-job", "", false, "with a terminal of the caller's"},
    {"file-locks", "", false, "with file locks"},
    {"link-remap", "", false, "with files that are open and deleted"},
    {"manage-cgroups-mode", "", true, "soft, full, strict or ignore (default: soft)"},
    kDetach,
    kPidFile,
    kPidfdSocket,
    kNoSubreaper,
    kNoPivot,
    {"empty-ns", "", true, "namespace that is restored without its contents: network"},
    {"auto-dedup", "", false, "memory is dropped from the images as it is restored"},
    {"lazy-pages", "", false, "memory is fetched when it is used (userfaultfd)"},
    {"lsm-profile", "", true, "TYPE:NAME, another AppArmor profile or SELinux label"},
    {"lsm-mount-context", "", true, "another SELinux label of the mounts"}};
inline constexpr FlagSpec kUpdateFlags[] = {
    {"resources", "r", true, "file with linux.resources as in config.json, or - for standard input; alone"},
    {"memory", "", true, "bytes of memory"},
    {"memory-reservation", "", true, "bytes that are kept where memory is short"},
    {"memory-swap", "", true, "bytes of memory and swap together; -1: no limit"},
    {"cpu-period", "", true, "microseconds of a period; 0: the kernel's own"},
    {"cpu-quota", "", true, "microseconds of processor time in a period"},
    {"cpu-burst", "", true, "microseconds more that unused time may be saved up to"},
    {"cpu-share", "", true, "weight beside other groups"},
    {"cpu-rt-period", "", true, "microseconds of a real-time period"},
    {"cpu-rt-runtime", "", true, "microseconds of real-time processor time in a period"},
    {"cpu-idle", "", true, "1: only where nobody else wants the processor"},
    {"cpuset-cpus", "", true, "processors to use"},
    {"cpuset-mems", "", true, "memory nodes to use"},
    {"pids-limit", "", true, "processes and threads"},
    {"blkio-weight", "", true, "weight of disk transfers, 10 to 1000"},
    {"kernel-memory", "", true, "accepted, and without effect"},
    {"kernel-memory-tcp", "", true, "accepted, and without effect"},
    {"l3-cache-schema", "", true, "Intel RDT's schema of the L3 cache"},
    {"mem-bw-schema", "", true, "Intel RDT's schema of memory bandwidth"}};

}  // namespace proa::runtime
