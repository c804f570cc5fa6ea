// The instructions of a seccomp filter, and code that is put together from them (seccomp(2), <linux/bpf_common.h>).
// Pure.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace proa::runtime::seccomp {

using Code = std::vector<sock_filter>;

sock_filter statement(unsigned code, std::uint32_t k);
sock_filter jump(unsigned code, std::uint32_t k, std::size_t if_true, std::size_t if_false);
sock_filter load(std::size_t offset);      // of struct seccomp_data, into A
sock_filter answer(std::uint32_t action);  // SECCOMP_RET_*
void append(Code& code, const Code& more);
// "if A op k goto if_true": it follows if_false, however long that is.
void branch(Code& code, unsigned op, std::uint32_t k, const Code& if_false, const Code& if_true);

// Code that is written from its end to its start, so that every distance is known when its jump is written. A place is
// the number of instructions from there to the end.
class Backwards {
 public:
  std::size_t write(const Code& code);
  // An action that is within reach of the next jump already is not written again.
  std::size_t answer_within_reach(std::uint32_t action);
  // "if A >= bound goto above; else goto below"
  std::size_t branch(std::uint32_t bound, std::size_t above, std::size_t below);
  Code forwards() const { return {code_.rbegin(), code_.rend()}; }

 private:
  std::size_t bring_within_reach(std::size_t place, std::size_t reach);

  Code code_;
  std::map<std::uint32_t, std::size_t> answers_;  // by their action: the place written last
};

}  // namespace proa::runtime::seccomp
