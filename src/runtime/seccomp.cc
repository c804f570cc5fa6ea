#include "runtime/seccomp.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <deque>
#include <map>
#include <optional>

#include "base/text.h"
#include "os/fd.h"
#include "runtime/seccomp_arch.h"
#include "runtime/seccomp_code.h"
#include "runtime/seccomp_rules.h"
#include "runtime/syscall_table.h"

namespace proa::runtime {
namespace {

using seccomp::answer;
using seccomp::append;
using seccomp::Arch;
using seccomp::Backwards;
using seccomp::branch;
using seccomp::Code;
using seccomp::Condition;
using seccomp::jump;
using seccomp::load;
using seccomp::Op;
using seccomp::refuse;
using seccomp::Rule;
using seccomp::statement;

// --- Conditions -------------------------------------------------------------------------------------------------

// Falls through where the condition holds; the jumps to where it does not are noted in `misses` (instruction, side).
class ConditionCode {
 public:
  ConditionCode(Code& code, const Arch& arch) : code_(code), arch_(arch) {}

  void add(const Condition& condition) {
    auto high = static_cast<std::uint32_t>(condition.value >> 32);
    auto low = static_cast<std::uint32_t>(condition.value);
    auto mask_high = static_cast<std::uint32_t>(condition.mask >> 32);
    auto mask_low = static_cast<std::uint32_t>(condition.mask);
    std::size_t base = offsetof(seccomp_data, args) + 8 * condition.index;
    std::size_t low_at = base + (arch_.big_endian ? 4 : 0);
    std::size_t high_at = base + (arch_.big_endian ? 0 : 4);
    if (arch_.wide) {
      code_.push_back(load(high_at));
      high_word(condition.op, high, mask_high);
    }
    code_.push_back(load(low_at));
    low_word(condition.op, low, mask_low);
    for (auto at : hits_) patch(at, code_.size());
    hits_.clear();
  }

  void finish() {  // a condition that does not hold goes behind the rule
    for (auto at : misses_) patch(at, code_.size());
    misses_.clear();
  }

 private:
  struct At {
    std::size_t instruction;
    bool if_true;
  };

  void patch(At at, std::size_t target) {
    auto distance = static_cast<__u8>(target - at.instruction - 1);
    (at.if_true ? code_[at.instruction].jt : code_[at.instruction].jf) = distance;
  }
  void test(unsigned op, std::uint32_t k) { code_.push_back(jump(op | BPF_K, k, 0, 0)); }
  void hit(bool if_true) { hits_.push_back({code_.size() - 1, if_true}); }
  void miss(bool if_true) { misses_.push_back({code_.size() - 1, if_true}); }

  void high_word(Op op, std::uint32_t high, std::uint32_t mask) {
    switch (op) {
      case Op::MaskedEqual:
        code_.push_back(statement(BPF_ALU | BPF_AND | BPF_K, mask));
        [[fallthrough]];
      case Op::Equal:
        test(BPF_JEQ, high);
        return miss(false);
      case Op::NotEqual:
        test(BPF_JEQ, high);
        return hit(false);
      case Op::Less:
      case Op::LessEqual:
        test(BPF_JGT, high);
        miss(true);
        test(BPF_JEQ, high);
        return hit(false);
      case Op::Greater:
      case Op::GreaterEqual:
        test(BPF_JGT, high);
        hit(true);
        test(BPF_JEQ, high);
        return miss(false);
    }
  }

  void low_word(Op op, std::uint32_t low, std::uint32_t mask) {
    switch (op) {
      case Op::MaskedEqual:
        code_.push_back(statement(BPF_ALU | BPF_AND | BPF_K, mask));
        [[fallthrough]];
      case Op::Equal:
        test(BPF_JEQ, low);
        return miss(false);
      case Op::NotEqual:
        test(BPF_JEQ, low);
        return miss(true);
      case Op::Less:
        test(BPF_JGE, low);
        return miss(true);
      case Op::LessEqual:
        test(BPF_JGT, low);
        return miss(true);
      case Op::Greater:
        test(BPF_JGT, low);
        return miss(false);
      case Op::GreaterEqual:
        test(BPF_JGE, low);
        return miss(false);
    }
  }

  Code& code_;
  const Arch& arch_;
  std::vector<At> hits_, misses_;
};

// --- One architecture ------------------------------------------------------------------------------------------

class ArchFilter {
 public:
  ArchFilter(const Arch& arch, std::uint32_t default_action) : arch_(arch), default_(default_action) {}

  void add(std::string_view name, const Syscall& syscall, const std::vector<Rule>& rules) {
    add_number(syscall.number(arch_.table), rules);
    if (!arch_.multiplexed) return;
    if (int call = seccomp::socketcall_number(name)) add_multiplexed("socketcall", call, rules);
    if (int call = seccomp::ipc_number(name)) add_multiplexed("ipc", call, rules);
  }
  // Counts for the newest number known, though its action is the default's.
  void mention(const Syscall& syscall) { last_ = std::max(last_, syscall.number(arch_.table)); }

  // The number is in A. `newer`: the answer to numbers above all mentioned ones. The rules must still be there.
  Code compile(std::optional<std::uint32_t> newer) {
    std::stable_sort(entries_.begin(), entries_.end(),
                     [](const Entry& a, const Entry& b) { return a.number < b.number; });
    leaves_.reserve(entries_.size() + 2);
    leaves_.push_back({0, default_, {}});
    for (std::size_t i = 0; i < entries_.size();) {
      std::size_t end = i;
      while (end < entries_.size() && entries_[end].number == entries_[i].number) ++end;
      auto number = static_cast<std::uint32_t>(entries_[i].number);
      put(rules_leaf(number, i, end));
      put({number + 1, default_, {}});
      i = end;
    }
    if (newer && last_ >= 0) {
      auto first_newer = static_cast<std::uint32_t>(last_) + 1;
      while (!leaves_.empty() && leaves_.back().first >= first_newer) leaves_.pop_back();
      put({first_newer, *newer, {}});
    }
    Backwards code;
    search(code, 0, leaves_.size());
    return code.forwards();
  }

 private:
  struct Entry {
    std::int32_t number;
    const Rule* rule;
  };
  struct Leaf {
    std::uint32_t first;  // from this number up to the next leaf's
    std::uint32_t action;
    Code code;  // instead of the action where arguments matter
  };

  void add_number(std::int32_t number, const std::vector<Rule>& rules) {
    if (number < 0) return;
    last_ = std::max(last_, number);
    for (const auto& rule : rules) entries_.push_back({number, &rule});
  }

  void add_multiplexed(std::string_view name, int call, const std::vector<Rule>& rules) {
    std::int32_t number = find_syscall(name)->number(arch_.table);
    Condition which{0, Op::Equal, static_cast<std::uint64_t>(call), ~std::uint64_t{0}};
    // The call's own arguments lie in memory, out of a filter's sight. As libseccomp has it, a condition on the first
    // gives way to this one, and the others stay.
    for (const auto& rule : rules) {
      Rule through = rule;
      std::erase_if(through.conditions, [](const Condition& condition) { return condition.index == 0; });
      through.conditions.insert(through.conditions.begin(), which);
      multiplexed_.push_back(std::move(through));
      entries_.push_back({number, &multiplexed_.back()});
    }
  }

  // The rules of one system call: an unconditional one decides alone, else the first whose conditions hold.
  Leaf rules_leaf(std::uint32_t number, std::size_t first, std::size_t end) {
    for (std::size_t i = first; i < end; ++i) {
      if (entries_[i].rule->conditions.empty()) return {number, entries_[i].rule->action, {}};
    }
    Leaf leaf{number, default_, {}};
    for (std::size_t i = first; i < end; ++i) {
      ConditionCode conditions(leaf.code, arch_);
      for (const auto& condition : entries_[i].rule->conditions) conditions.add(condition);
      leaf.code.push_back(answer(entries_[i].rule->action));
      conditions.finish();
    }
    leaf.code.push_back(answer(default_));
    return leaf;
  }

  void put(Leaf leaf) {
    if (!leaves_.empty() && leaves_.back().first == leaf.first) leaves_.pop_back();
    if (!leaves_.empty() && leaves_.back().code.empty() && leaf.code.empty() && leaves_.back().action == leaf.action) {
      return;
    }
    leaves_.push_back(std::move(leaf));
  }

  // Writes the search among these leaves before what is there, and says where it starts. The kernel compiles a filter
  // for each process that takes it: the shorter, the sooner.
  std::size_t search(Backwards& code, std::size_t first, std::size_t end) const {
    if (end - first == 1) {
      const Leaf& leaf = leaves_[first];
      return leaf.code.empty() ? code.answer_within_reach(leaf.action) : code.write(leaf.code);
    }
    std::size_t middle = first + (end - first) / 2;
    std::size_t above = search(code, middle, end);
    std::size_t below = search(code, first, middle);
    return code.branch(leaves_[middle].first | (arch_.table == SyscallTable::X32 ? seccomp::kX32Bit : 0), above, below);
  }

  const Arch& arch_;
  std::uint32_t default_;
  std::int32_t last_ = -1;
  std::vector<Entry> entries_;
  std::deque<Rule> multiplexed_;
  std::vector<Leaf> leaves_;
};

// One filter is for one byte order: that of the machine (a program of the other could not be run anyway).
std::vector<const Arch*> wanted_archs(const oci::Seccomp& profile, std::string_view native) {
  std::vector<const Arch*> archs{&seccomp::parse_arch(native)};
  for (const auto& name : profile.architectures) {
    const Arch* arch = &seccomp::parse_arch(name);
    if (arch->big_endian != archs[0]->big_endian) {
      refuse(cat("architecture ", quoted(name), " has not the byte order of this machine (", archs[0]->name,
                 "): leave it out of linux.seccomp.architectures"));
    }
    if (std::find(archs.begin(), archs.end(), arch) == archs.end()) archs.push_back(arch);
  }
  return archs;
}

// A program newer than the profile must find a system call missing, not forbidden, or it will not fall back.
std::optional<std::uint32_t> answer_to_newer(std::uint32_t default_action) {
  std::uint32_t kind = default_action & SECCOMP_RET_ACTION_FULL;
  bool permissive = kind == SECCOMP_RET_ALLOW || kind == SECCOMP_RET_LOG || kind == SECCOMP_RET_TRACE;
  if (permissive) return std::nullopt;
  return SECCOMP_RET_ERRNO | ENOSYS;
}

using Sections = std::map<std::uint32_t, Code>;  // by the kernel's idea of the architecture

// x32 is x86_64 with a bit in the number.
Sections compile_sections(const std::vector<const Arch*>& archs, std::vector<ArchFilter>& filters,
                          std::optional<std::uint32_t> newer) {
  Sections sections;
  std::optional<Code> x32;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    Code code = filters[i].compile(newer);
    if (archs[i]->table == SyscallTable::X32) {
      x32 = std::move(code);
    } else {
      sections[archs[i]->audit] = std::move(code);
    }
  }
  for (auto& [audit, code] : sections) {
    Code full{load(offsetof(seccomp_data, nr))};
    if (audit == AUDIT_ARCH_X86_64) {
      // Without x32 its numbers are an architecture that is not in the profile, but newer ones still are just that.
      branch(full, BPF_JGE, seccomp::kX32Bit, code, x32 ? *x32 : Code{answer(newer.value_or(SECCOMP_RET_KILL_THREAD))});
    } else {
      append(full, code);
    }
    code = std::move(full);
  }
  return sections;
}

// The native architecture is asked for first: it comes last here, nearest to the start.
Code join_sections(Sections& sections, std::uint32_t native) {
  Code rest{answer(SECCOMP_RET_KILL_THREAD)};
  auto test_for = [&rest](std::uint32_t audit, const Code& section) {
    Code with;
    branch(with, BPF_JEQ, audit, rest, section);
    rest = std::move(with);
  };
  for (const auto& [audit, section] : sections) {
    if (audit != native) test_for(audit, section);
  }
  test_for(native, sections[native]);
  Code code{load(offsetof(seccomp_data, arch))};
  append(code, rest);
  return code;
}

}  // namespace

static bool notifies(const oci::Seccomp& profile) {
  return std::any_of(profile.syscalls.begin(), profile.syscalls.end(),
                     [](const auto& rule) { return rule.action == "SCMP_ACT_NOTIFY"; });
}

// The descriptor has to leave the process after the filter is in force: by these two.
static void check_notified(const oci::Seccomp& profile, const oci::SeccompRule& rule) {
  if (profile.listener_path.empty()) refuse("SCMP_ACT_NOTIFY needs a listenerPath");
  for (const auto& name : rule.names) {
    if (name == "read" || name == "write") refuse(cat("SCMP_ACT_NOTIFY cannot be used for the ", name, " syscall"));
  }
}

SeccompProgram compile_seccomp(const oci::Seccomp& profile, std::string_view native) {
  std::uint32_t default_action = seccomp::parse_action(profile.default_action, profile.default_errno_ret);
  if (default_action == SECCOMP_RET_USER_NOTIF) refuse("SCMP_ACT_NOTIFY cannot be used as default action");
  auto archs = wanted_archs(profile, native);
  std::vector<ArchFilter> filters;
  for (const Arch* arch : archs) filters.emplace_back(*arch, default_action);
  std::deque<std::vector<Rule>> all_rules;
  for (const auto& from : profile.syscalls) {
    std::uint32_t action = seccomp::parse_action(from.action, from.errno_ret);
    const auto& rules = all_rules.emplace_back(seccomp::parse_rules(from, action));
    if (action == SECCOMP_RET_USER_NOTIF) check_notified(profile, from);
    for (const auto& name : from.names) {
      auto syscall = find_syscall(name);
      if (!syscall) continue;
      for (auto& filter : filters) {
        filter.mention(*syscall);
        if (action != default_action) filter.add(name, *syscall, rules);
      }
    }
  }
  Sections sections = compile_sections(archs, filters, answer_to_newer(default_action));
  SeccompProgram program;
  program.flags = seccomp::parse_flags(profile.flags, notifies(profile));
  program.instructions = join_sections(sections, archs[0]->audit);
  if (program.instructions.size() > BPF_MAXINSNS) refuse("the profile is too long for the kernel");
  return program;
}

std::string to_bytes(const SeccompProgram& program) {
  std::string bytes(reinterpret_cast<const char*>(&program.flags), sizeof program.flags);
  return bytes.append(reinterpret_cast<const char*>(program.instructions.data()),
                      program.instructions.size() * sizeof(sock_filter));
}

SeccompProgram program_from_bytes(std::string_view bytes) {
  SeccompProgram program;
  std::size_t rest = bytes.size() - sizeof program.flags;
  if (bytes.size() < sizeof program.flags || rest % sizeof(sock_filter) != 0 ||
      rest / sizeof(sock_filter) > BPF_MAXINSNS)
    throw Error(ErrorKind::DataLoss, "these bytes are no seccomp filter");
  std::memcpy(&program.flags, bytes.data(), sizeof program.flags);
  program.instructions.resize(rest / sizeof(sock_filter));
  std::memcpy(program.instructions.data(), bytes.data() + sizeof program.flags, rest);
  return program;
}

void drop_compiled_rules(oci::Seccomp& profile) {
  std::erase_if(profile.syscalls, [](const auto& rule) { return rule.action != "SCMP_ACT_NOTIFY"; });
  profile.syscalls.shrink_to_fit();
}

int load_seccomp(const SeccompProgram& program) {
  sock_fprog filter{static_cast<unsigned short>(program.instructions.size()),
                    const_cast<sock_filter*>(program.instructions.data())};
  auto result =
      os::check(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, program.flags, &filter), "load the seccomp filter");
  return program.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER ? static_cast<int>(result) : -1;
}

}  // namespace proa::runtime
