// What a seccomp profile says, read into numbers: actions, flags, and the rules with their conditions on arguments.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/runtime_spec.h"

namespace proa::runtime::seccomp {

enum class Op { Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual, MaskedEqual };

struct Condition {
  std::uint32_t index;
  Op op;
  std::uint64_t value, mask;
};
struct Rule {  // all conditions hold: action
  std::vector<Condition> conditions;
  std::uint32_t action;
};

[[noreturn]] void refuse(std::string message);  // InvalidArgument

std::uint32_t parse_action(std::string_view name, const std::optional<std::uint32_t>& errno_ret);  // SECCOMP_RET_*
std::uint32_t parse_flags(const std::vector<std::string>& names, bool listener);  // SECCOMP_FILTER_FLAG_*
// runc's reading of `args`: all must hold, unless one argument is named twice, then any of them suffices.
std::vector<Rule> parse_rules(const oci::SeccompRule& from, std::uint32_t action);

}  // namespace proa::runtime::seccomp
