// Numbers of system calls by name, for the architectures a filter can be made for.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace proa::runtime {

enum class Arch { X86_64, X86, X32, Aarch64, Arm, Riscv64, S390x, S390, Ppc64le };
inline constexpr std::size_t kArchCount = 9;
inline constexpr std::uint32_t kX32Bit = 0x40000000;  // in the numbers of the x32 ABI

struct SyscallNumbers {
  std::string_view name;
  std::array<std::int32_t, kArchCount> numbers;  // -1: this architecture has none; x32 without its bit
};
// nullptr if no architecture knows it.
const SyscallNumbers* find_syscall(std::string_view name);

}  // namespace proa::runtime
