#include "runtime/seccomp_code.h"

namespace proa::runtime::seccomp {
namespace {

constexpr std::size_t kReach = 255;  // of a conditional jump

sock_filter far_jump(std::size_t distance) { return statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(distance)); }

}  // namespace

sock_filter statement(unsigned code, std::uint32_t k) { return {static_cast<__u16>(code), 0, 0, k}; }

sock_filter jump(unsigned code, std::uint32_t k, std::size_t if_true, std::size_t if_false) {
  return {static_cast<__u16>(BPF_JMP | code), static_cast<__u8>(if_true), static_cast<__u8>(if_false), k};
}

sock_filter load(std::size_t offset) { return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }

sock_filter answer(std::uint32_t action) { return statement(BPF_RET | BPF_K, action); }

void append(Code& code, const Code& more) { code.insert(code.end(), more.begin(), more.end()); }

void branch(Code& code, unsigned op, std::uint32_t k, const Code& if_false, const Code& if_true) {
  if (if_false.size() <= kReach) {
    code.push_back(jump(op | BPF_K, k, if_false.size(), 0));
  } else {
    code.push_back(jump(op | BPF_K, k, 0, 1));
    code.push_back(far_jump(if_false.size()));
  }
  append(code, if_false);
  append(code, if_true);
}

std::size_t Backwards::write(const Code& code) {
  code_.insert(code_.end(), code.rbegin(), code.rend());
  return code_.size();
}

std::size_t Backwards::answer_within_reach(std::uint32_t action) {
  std::size_t& place = answers_[action];
  if (place == 0 || code_.size() - place > kReach) place = write({answer(action)});
  return place;
}

std::size_t Backwards::branch(std::uint32_t bound, std::size_t above, std::size_t below) {
  below = bring_within_reach(below, kReach - 1);  // the next may add one
  above = bring_within_reach(above, kReach);
  return write({jump(BPF_JGE | BPF_K, bound, code_.size() - above, code_.size() - below)});
}

std::size_t Backwards::bring_within_reach(std::size_t place, std::size_t reach) {
  if (code_.size() - place <= reach) return place;
  return write({far_jump(code_.size() - place)});
}

}  // namespace proa::runtime::seccomp
