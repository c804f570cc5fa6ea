#include "runtime/syscall_table.h"

#include <array>

namespace proa::runtime {
namespace {

// As it is written; only the compiler reads it. The program has what follows: no pointers, which would have to be
// relocated at each start, and numbers of two bytes.
struct Row {
  std::string_view name;
  std::array<std::int32_t, kSyscallTableCount> numbers;
};
constexpr Row kRows[] = {
#include "runtime/syscalls.inc"
};
constexpr std::size_t kCount = std::size(kRows);

constexpr std::int32_t kArmPrivate = 0xf0000;     // ARM's own calls begin here,
constexpr std::int32_t kArmPrivateKept = 0x7000;  // and are kept from here

constexpr std::size_t kTextSize = [] {
  std::size_t size = 0;
  for (const auto& row : kRows) size += row.name.size();
  return size;
}();
constexpr auto kText = [] {
  std::array<char, kTextSize> text{};
  std::size_t at = 0;
  for (const auto& row : kRows) {
    for (char c : row.name) text[at++] = c;
  }
  return text;
}();
constexpr auto kNameEnds = [] {
  std::array<std::uint16_t, kCount + 1> ends{};
  for (std::size_t i = 0; i < kCount; ++i) ends[i + 1] = static_cast<std::uint16_t>(ends[i] + kRows[i].name.size());
  return ends;
}();
constexpr auto kNumbers = [] {
  std::array<std::array<std::int16_t, kSyscallTableCount>, kCount> kept{};
  for (std::size_t i = 0; i < kCount; ++i) {
    for (std::size_t j = 0; j < kSyscallTableCount; ++j) {
      std::int32_t number = kRows[i].numbers[j];
      if (number >= kArmPrivate) number -= kArmPrivate - kArmPrivateKept;
      kept[i][j] = static_cast<std::int16_t>(number);
    }
  }
  return kept;
}();

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
    auto slot = slot_of(kRows[i].name);
    while (index[slot] != 0) slot = (slot + 1) % kSlots;
    index[slot] = static_cast<std::uint16_t>(i + 1);
  }
  return index;
}();

std::string_view name_of(std::size_t row) {
  return {kText.data() + kNameEnds[row], static_cast<std::size_t>(kNameEnds[row + 1] - kNameEnds[row])};
}

}  // namespace

std::int32_t Syscall::number(SyscallTable table) const {
  std::int32_t number = kNumbers[row_][static_cast<std::size_t>(table)];
  return number >= kArmPrivateKept ? number + kArmPrivate - kArmPrivateKept : number;
}

std::optional<Syscall> find_syscall(std::string_view name) {
  for (auto slot = slot_of(name); kIndex[slot] != 0; slot = (slot + 1) % kSlots) {
    std::size_t row = kIndex[slot] - 1U;
    if (name_of(row) == name) return Syscall(row);
  }
  return std::nullopt;
}

}  // namespace proa::runtime
