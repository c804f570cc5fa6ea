#include "runtime/syscall_table.h"

namespace proa::runtime {
namespace {

constexpr SyscallNumbers kSyscalls[] = {
#include "runtime/syscalls.inc"
};
constexpr std::size_t kCount = std::size(kSyscalls);
constexpr std::size_t kSlots = 2048;
static_assert(kCount < kSlots / 2);

constexpr std::size_t slot_of(std::string_view name) {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash % kSlots;
}

// Open addressing, filled by the compiler: 0 is empty, else index + 1.
constexpr auto kIndex = [] {
  std::array<std::uint16_t, kSlots> index{};
  for (std::size_t i = 0; i < kCount; ++i) {
    auto slot = slot_of(kSyscalls[i].name);
    while (index[slot] != 0) slot = (slot + 1) % kSlots;
    index[slot] = static_cast<std::uint16_t>(i + 1);
  }
  return index;
}();

}  // namespace

const SyscallNumbers* find_syscall(std::string_view name) {
  for (auto slot = slot_of(name); kIndex[slot] != 0; slot = (slot + 1) % kSlots) {
    const auto& entry = kSyscalls[kIndex[slot] - 1U];
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace proa::runtime
