#include "runtime/seccomp_rules.h"

#include <linux/seccomp.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace proa::runtime::seccomp {

void refuse(std::string message) { throw Error(ErrorKind::InvalidArgument, cat("seccomp: ", message)); }

std::uint32_t parse_action(std::string_view name, const std::optional<std::uint32_t>& errno_ret) {
  constexpr std::uint32_t kMaxErrno = 4095;  // the kernel would take this one for all above
  std::uint32_t value = errno_ret.value_or(EPERM), most = name == "SCMP_ACT_ERRNO" ? kMaxErrno : SECCOMP_RET_DATA;
  if (value > most) refuse(cat("errnoRet ", value, " of ", name, " is above ", most));
  if (name == "SCMP_ACT_ALLOW") return SECCOMP_RET_ALLOW;
  if (name == "SCMP_ACT_ERRNO") return SECCOMP_RET_ERRNO | value;
  if (name == "SCMP_ACT_KILL" || name == "SCMP_ACT_KILL_THREAD") return SECCOMP_RET_KILL_THREAD;
  if (name == "SCMP_ACT_KILL_PROCESS") return SECCOMP_RET_KILL_PROCESS;
  if (name == "SCMP_ACT_TRAP") return SECCOMP_RET_TRAP;
  if (name == "SCMP_ACT_TRACE") return SECCOMP_RET_TRACE | value;
  if (name == "SCMP_ACT_LOG") return SECCOMP_RET_LOG;
  if (name == "SCMP_ACT_NOTIFY") return SECCOMP_RET_USER_NOTIF;
  refuse(cat("action ", quoted(name), " is unknown"));
}

namespace {

Condition parse_condition(const oci::SeccompArg& arg) {
  constexpr std::array<std::pair<std::string_view, Op>, 7> kOps = {{{"SCMP_CMP_EQ", Op::Equal},
                                                                    {"SCMP_CMP_NE", Op::NotEqual},
                                                                    {"SCMP_CMP_LT", Op::Less},
                                                                    {"SCMP_CMP_LE", Op::LessEqual},
                                                                    {"SCMP_CMP_GT", Op::Greater},
                                                                    {"SCMP_CMP_GE", Op::GreaterEqual},
                                                                    {"SCMP_CMP_MASKED_EQ", Op::MaskedEqual}}};
  if (arg.index > 5) refuse(cat("argument index ", arg.index, " is above 5"));
  for (const auto& [name, op] : kOps) {
    if (arg.op != name) continue;
    if (op == Op::MaskedEqual) return {arg.index, op, arg.value_two, arg.value};
    return {arg.index, op, arg.value, ~std::uint64_t{0}};
  }
  refuse(cat("operator ", quoted(arg.op), " is unknown"));
}

}  // namespace

std::vector<Rule> parse_rules(const oci::SeccompRule& from, std::uint32_t action) {
  std::array<int, 6> seen{};
  bool repeated = false;
  Rule all{{}, action};
  for (const auto& arg : from.args) {
    all.conditions.push_back(parse_condition(arg));
    repeated |= ++seen[arg.index] > 1;
  }
  if (!repeated) return {all};
  std::vector<Rule> out;
  for (const auto& condition : all.conditions) out.push_back({{condition}, action});
  return out;
}

std::uint32_t parse_flags(const std::vector<std::string>& names, bool listener) {
  std::uint32_t flags = listener ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  // What runc does where nothing is said: do not slow the process down for the sake of speculation.
  if (names.empty()) return flags | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  for (const auto& name : names) {
    if (name == "SECCOMP_FILTER_FLAG_TSYNC") {
      // Nothing to synchronize in a process of one thread, and the kernel refuses it beside a listener.
      if (!listener) flags |= SECCOMP_FILTER_FLAG_TSYNC;
    } else if (name == "SECCOMP_FILTER_FLAG_LOG") {
      flags |= SECCOMP_FILTER_FLAG_LOG;
    } else if (name == "SECCOMP_FILTER_FLAG_SPEC_ALLOW") {
      flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    } else if (name == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" && listener) {
      flags |= SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    } else {
      refuse(cat("flag ", quoted(name), " is not supported"));
    }
  }
  return flags;
}

}  // namespace proa::runtime::seccomp
