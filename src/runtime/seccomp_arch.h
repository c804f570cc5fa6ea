// The architectures a seccomp filter can be made for, and what their system calls look like to a filter.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "runtime/syscall_table.h"

namespace proa::runtime::seccomp {

inline constexpr std::uint32_t kX32Bit = 0x40000000;  // in the numbers of the x32 ABI

struct Arch {
  std::string_view name;  // SCMP_ARCH_*
  std::uint32_t audit;    // AUDIT_ARCH_*
  SyscallTable table;
  bool wide;  // arguments are 64 bits
  bool big_endian;
  bool multiplexed;  // calls of sockets and of System V IPC can also be made through socketcall(2) and ipc(2)
};

std::span<const Arch> all_archs();  // by name
// The name of the one this program is for where it is empty. Throws InvalidArgument.
const Arch& parse_arch(std::string_view name);
// The first argument of socketcall(2) or of ipc(2) that makes it this call; 0: none does.
int socketcall_number(std::string_view syscall);
int ipc_number(std::string_view syscall);

}  // namespace proa::runtime::seccomp
