#include "runtime/seccomp_arch.h"

#include <linux/audit.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "runtime/seccomp_rules.h"

#ifndef AUDIT_ARCH_LOONGARCH64
#define AUDIT_ARCH_LOONGARCH64 (258 | __AUDIT_ARCH_64BIT | __AUDIT_ARCH_LE)  // EM_LOONGARCH
#endif

namespace proa::runtime::seccomp {
namespace {

using enum SyscallTable;
constexpr bool kWide = true, kNarrow = false, kBig = true, kLittle = false, kDirect = false, kMultiplexed = true;

// x32 and n32 hand 64 bits on, but their programs mean the lower half, as libseccomp has it.
constexpr std::array kArchs = {
    Arch{"SCMP_ARCH_AARCH64", AUDIT_ARCH_AARCH64, Aarch64, kWide, kLittle, kDirect},
    Arch{"SCMP_ARCH_ARM", AUDIT_ARCH_ARM, Arm, kNarrow, kLittle, kDirect},
    Arch{"SCMP_ARCH_LOONGARCH64", AUDIT_ARCH_LOONGARCH64, Loongarch64, kWide, kLittle, kDirect},
    Arch{"SCMP_ARCH_M68K", AUDIT_ARCH_M68K, M68k, kNarrow, kBig, kMultiplexed},
    Arch{"SCMP_ARCH_MIPS", AUDIT_ARCH_MIPS, Mips, kNarrow, kBig, kMultiplexed},
    Arch{"SCMP_ARCH_MIPS64", AUDIT_ARCH_MIPS64, Mips64, kWide, kBig, kDirect},
    Arch{"SCMP_ARCH_MIPS64N32", AUDIT_ARCH_MIPS64N32, Mips64n32, kNarrow, kBig, kDirect},
    Arch{"SCMP_ARCH_MIPSEL", AUDIT_ARCH_MIPSEL, Mips, kNarrow, kLittle, kMultiplexed},
    Arch{"SCMP_ARCH_MIPSEL64", AUDIT_ARCH_MIPSEL64, Mips64, kWide, kLittle, kDirect},
    Arch{"SCMP_ARCH_MIPSEL64N32", AUDIT_ARCH_MIPSEL64N32, Mips64n32, kNarrow, kLittle, kDirect},
    Arch{"SCMP_ARCH_PARISC", AUDIT_ARCH_PARISC, Parisc, kNarrow, kBig, kDirect},
    Arch{"SCMP_ARCH_PARISC64", AUDIT_ARCH_PARISC64, Parisc64, kWide, kBig, kDirect},
    Arch{"SCMP_ARCH_PPC", AUDIT_ARCH_PPC, Ppc, kNarrow, kBig, kMultiplexed},
    Arch{"SCMP_ARCH_PPC64", AUDIT_ARCH_PPC64, Ppc64, kWide, kBig, kMultiplexed},
    Arch{"SCMP_ARCH_PPC64LE", AUDIT_ARCH_PPC64LE, Ppc64, kWide, kLittle, kMultiplexed},
    Arch{"SCMP_ARCH_RISCV64", AUDIT_ARCH_RISCV64, Riscv64, kWide, kLittle, kDirect},
    Arch{"SCMP_ARCH_S390", AUDIT_ARCH_S390, S390, kNarrow, kBig, kMultiplexed},
    Arch{"SCMP_ARCH_S390X", AUDIT_ARCH_S390X, S390x, kWide, kBig, kMultiplexed},
    Arch{"SCMP_ARCH_SH", AUDIT_ARCH_SHEL, Sh, kNarrow, kLittle, kMultiplexed},
    Arch{"SCMP_ARCH_SHEB", AUDIT_ARCH_SH, Sh, kNarrow, kBig, kMultiplexed},
    Arch{"SCMP_ARCH_X32", AUDIT_ARCH_X86_64, X32, kNarrow, kLittle, kDirect},
    Arch{"SCMP_ARCH_X86", AUDIT_ARCH_I386, X86, kNarrow, kLittle, kMultiplexed},
    Arch{"SCMP_ARCH_X86_64", AUDIT_ARCH_X86_64, X86_64, kWide, kLittle, kDirect}};

constexpr std::string_view native_name() {
#if defined(__x86_64__)
  return "SCMP_ARCH_X86_64";
#elif defined(__aarch64__)
  return "SCMP_ARCH_AARCH64";
#elif defined(__riscv)
  return "SCMP_ARCH_RISCV64";
#elif defined(__s390x__)
  return "SCMP_ARCH_S390X";
#elif defined(__loongarch64)
  return "SCMP_ARCH_LOONGARCH64";
#else
  return "SCMP_ARCH_PPC64LE";
#endif
}

}  // namespace

std::span<const Arch> all_archs() { return kArchs; }

const Arch& parse_arch(std::string_view name) {
  if (name.empty()) name = native_name();
  for (const auto& arch : kArchs) {
    if (arch.name == name) return arch;
  }
  refuse(cat("architecture ", quoted(name), " is unknown"));
}

int socketcall_number(std::string_view syscall) {
  constexpr std::array<std::string_view, 20> kCalls = {
      "socket",     "bind",    "connect", "listen",  "accept",   "getsockname", "getpeername",
      "socketpair", "send",    "recv",    "sendto",  "recvfrom", "shutdown",    "setsockopt",
      "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg"};
  const auto* found = std::find(kCalls.begin(), kCalls.end(), syscall);
  return found == kCalls.end() ? 0 : static_cast<int>(found - kCalls.begin()) + 1;
}

int ipc_number(std::string_view syscall) {
  constexpr std::array<std::pair<std::string_view, int>, 12> kCalls = {{{"semop", 1},
                                                                        {"semget", 2},
                                                                        {"semctl", 3},
                                                                        {"semtimedop", 4},
                                                                        {"msgsnd", 11},
                                                                        {"msgrcv", 12},
                                                                        {"msgget", 13},
                                                                        {"msgctl", 14},
                                                                        {"shmat", 21},
                                                                        {"shmdt", 22},
                                                                        {"shmget", 23},
                                                                        {"shmctl", 24}}};
  for (const auto& [call, number] : kCalls) {
    if (call == syscall) return number;
  }
  return 0;
}

}  // namespace proa::runtime::seccomp
