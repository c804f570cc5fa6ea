// A seccomp profile: the program that comes of it is one the kernel takes, and ends for every system call.
#include <linux/audit.h>
#include <linux/seccomp.h>

#include <cstring>
#include <string>

#include "base/json.h"
#include "oci/runtime_spec.h"
#include "runtime/seccomp.h"
#include "target.h"

using namespace proa;

namespace {

bool is_jump(const sock_filter& one) { return BPF_CLASS(one.code) == BPF_JMP; }

// seccomp_check_filter() and bpf_check_classic() of the kernel, as far as our instructions go.
void check_program(const std::vector<sock_filter>& code) {
  fuzz::demand(!code.empty() && code.size() <= BPF_MAXINSNS);
  fuzz::demand(code.back().code == (BPF_RET | BPF_K));
  for (std::size_t at = 0; at < code.size(); ++at) {
    const auto& one = code[at];
    if (one.code == (BPF_LD | BPF_W | BPF_ABS)) fuzz::demand(one.k % 4 == 0 && one.k < sizeof(seccomp_data));
    if (one.code == (BPF_LD | BPF_MEM) || one.code == BPF_ST) fuzz::demand(one.k < BPF_MEMWORDS);
    if (!is_jump(one)) continue;
    std::size_t left = code.size() - at - 1;
    fuzz::demand(one.code == (BPF_JMP | BPF_JA) ? one.k < left : one.jt < left && one.jf < left);
  }
}

std::uint32_t run(const std::vector<sock_filter>& code, const seccomp_data& data) {
  std::uint32_t a = 0, memory[BPF_MEMWORDS] = {};
  for (std::size_t pc = 0; pc < code.size(); ++pc) {  // jumps lead forwards only
    const auto& one = code[pc];
    auto jump = [&](bool yes) { pc += yes ? one.jt : one.jf; };
    switch (one.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&a, reinterpret_cast<const char*>(&data) + one.k, 4);
        break;
      case BPF_LD | BPF_MEM:
        a = memory[one.k];
        break;
      case BPF_ST:
        memory[one.k] = a;
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        a &= one.k;
        break;
      case BPF_JMP | BPF_JA:
        pc += one.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        jump(a == one.k);
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        jump(a > one.k);
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        jump(a >= one.k);
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        jump((a & one.k) != 0);
        break;
      case BPF_RET | BPF_K:
        return one.k;
      default:
        fuzz::demand(false);
    }
  }
  fuzz::demand(false);
  return 0;
}

oci::Spec with(const Json& seccomp) {
  return oci::spec_from_json(JsonObject{{"ociVersion", "1.3.0"}, {"linux", JsonObject{{"seccomp", seccomp}}}});
}

void try_for(std::string_view native, std::string_view text) {
  oci::Spec spec = with(json::parse(text));
  if (!spec.linux.seccomp) return;
  auto program = runtime::compile_seccomp(*spec.linux.seccomp, native);
  check_program(program.instructions);
  constexpr std::uint32_t kArchs[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, AUDIT_ARCH_S390X,
                                      AUDIT_ARCH_MIPS};
  for (std::uint32_t arch : kArchs) {
    for (int number : {0, 1, 59, 435, 600, 4001, 0x40000001, -1}) {
      run(program.instructions, {number, arch, 0, {0, 1, 2, ~0ULL, 1ULL << 32, 39}});
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (std::string_view native : {"SCMP_ARCH_X86_64", "SCMP_ARCH_S390X"}) {  // one of each byte order
    fuzz::answer([&] { try_for(native, fuzz::text_of(data, size)); });
  }
  return 0;
}
