// CHILD: which processors and memory nodes a process may use.
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "base/text.h"
#include "os/fd.h"
#include "runtime/limits.h"

namespace proa::runtime {
namespace {

struct Named {
  std::string_view name;
  unsigned long number;
};
// set_mempolicy(2); Debian's headers lack the newest names.
constexpr std::array<Named, 7> kModes = {{{"MPOL_DEFAULT", 0},
                                          {"MPOL_PREFERRED", 1},
                                          {"MPOL_BIND", 2},
                                          {"MPOL_INTERLEAVE", 3},
                                          {"MPOL_LOCAL", 4},
                                          {"MPOL_PREFERRED_MANY", 5},
                                          {"MPOL_WEIGHTED_INTERLEAVE", 6}}};
constexpr std::array<Named, 3> kFlags = {
    {{"MPOL_F_STATIC_NODES", 1UL << 15}, {"MPOL_F_RELATIVE_NODES", 1UL << 14}, {"MPOL_F_NUMA_BALANCING", 1UL << 13}}};

template <std::size_t N>
unsigned long number_of(const std::array<Named, N>& table, std::string_view name, std::string_view what) {
  for (const auto& entry : table) {
    if (entry.name == name) return entry.number;
  }
  throw Error(ErrorKind::InvalidArgument, cat(what, " ", quoted(name), " is unknown"));
}

template <std::size_t N>
std::vector<std::string_view> names_of(const std::array<Named, N>& table) {
  std::vector<std::string_view> out;
  for (const auto& entry : table) out.push_back(entry.name);
  return out;
}

constexpr unsigned kMost = 4096;

}  // namespace

std::vector<unsigned> parse_number_list(std::string_view text, std::string_view what) {
  std::vector<unsigned> out;
  if (text.empty()) return out;
  for (const auto& part : split(text, ',')) {
    auto [first, last] = cut(part, '-');
    auto from = parse_int<unsigned>(first);
    auto to = last ? parse_int<unsigned>(*last) : from;
    if (!from || !to || *from > *to || *to >= kMost) {
      throw Error(ErrorKind::InvalidArgument, cat(what, ": ", quoted(text), " is no list of numbers"));
    }
    for (unsigned i = *from; i <= *to; ++i) out.push_back(i);
  }
  return out;
}

void set_cpu_affinity(std::string_view cpus) {
  if (cpus.empty()) return;
  std::array<unsigned long, kMost / 64> set{};
  for (unsigned cpu : parse_number_list(cpus, "execCPUAffinity")) set[cpu / 64] |= 1UL << (cpu % 64);
  if (::syscall(SYS_sched_setaffinity, 0, sizeof set, set.data()) < 0) os::fail(cat("execCPUAffinity ", cpus));
}

void check_memory_policy(const oci::MemoryPolicy& policy) {
  auto refuse = [](std::string_view why) { throw Error(ErrorKind::InvalidArgument, cat("memoryPolicy: ", why)); };
  unsigned long mode = number_of(kModes, policy.mode, "memoryPolicy: mode");
  unsigned long flags = 0;
  for (const auto& flag : policy.flags) flags |= number_of(kFlags, flag, "memoryPolicy: flag");
  bool nodes = !parse_number_list(policy.nodes, "memoryPolicy: nodes").empty();
  if ((mode == 0 || mode == 4) && nodes) refuse(cat(policy.mode, " takes no nodes"));
  if (mode != 0 && mode != 4 && mode != 1 && !nodes) refuse(cat(policy.mode, " needs nodes"));
  if ((mode == 0 || mode == 4) && (flags & ~(1UL << 13))) refuse(cat(policy.mode, " takes no flags about nodes"));
}

void set_memory_policy(const oci::MemoryPolicy& policy) {
  unsigned long mode = number_of(kModes, policy.mode, "memoryPolicy: mode");
  for (const auto& flag : policy.flags) mode |= number_of(kFlags, flag, "memoryPolicy: flag");
  std::array<unsigned long, kMost / 64> nodes{};
  auto list = parse_number_list(policy.nodes, "memoryPolicy: nodes");
  for (unsigned node : list) nodes[node / 64] |= 1UL << (node % 64);
  auto* mask = list.empty() ? nullptr : nodes.data();
  if (::syscall(SYS_set_mempolicy, mode, mask, mask ? kMost + 1UL : 0UL) < 0) {
    os::fail(cat("set_mempolicy ", policy.mode));
  }
}

std::vector<std::string_view> memory_policy_modes() { return names_of(kModes); }
std::vector<std::string_view> memory_policy_flags() { return names_of(kFlags); }

}  // namespace proa::runtime
