// Numbers of system calls by name, for the architectures a filter can be made for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace proa::runtime {

// The columns of syscalls.inc, in its order.
enum class SyscallTable : std::uint8_t {
  X86_64,
  X86,
  X32,
  Aarch64,
  Arm,
  Riscv64,
  S390x,
  S390,
  Ppc64,
  Ppc,
  Mips,
  Mips64,
  Mips64n32,
  Parisc,
  Parisc64,
  Loongarch64,
  M68k,
  Sh
};
inline constexpr std::size_t kSyscallTableCount = 18;

class Syscall {
 public:
  explicit Syscall(std::size_t row) : row_(row) {}
  std::int32_t number(SyscallTable table) const;  // -1: it has none; x32 without its bit

 private:
  std::size_t row_;
};
// nullopt if no table knows it.
std::optional<Syscall> find_syscall(std::string_view name);

}  // namespace proa::runtime
