#include "runtime/device_filter.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "base/text.h"
#include "os/fd.h"
#include "os/file.h"
#include "runtime/cgroup_plan.h"

namespace proa::runtime {
namespace {

// Registers: r2 type, r3 access asked for, r4 major, r5 minor, r6 scratch.
bpf_insn insn(int code, int dst, int src, int offset, std::int32_t immediate) {
  bpf_insn out{};
  out.code = static_cast<__u8>(code);
  out.dst_reg = static_cast<__u8>(dst & 0xf);
  out.src_reg = static_cast<__u8>(src & 0xf);
  out.off = static_cast<__s16>(offset);
  out.imm = immediate;
  return out;
}
bpf_insn load(int dst, int offset) { return insn(BPF_LDX | BPF_MEM | BPF_W, dst, BPF_REG_1, offset, 0); }
bpf_insn move(int dst, std::int32_t value) { return insn(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value); }
bpf_insn leave() { return insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

std::int32_t access_mask(const oci::DeviceRule& rule) {
  std::int32_t mask = 0;
  for (char letter : rule.access) {
    if (letter == 'r') mask |= BPF_DEVCG_ACC_READ;
    if (letter == 'w') mask |= BPF_DEVCG_ACC_WRITE;
    if (letter == 'm') mask |= BPF_DEVCG_ACC_MKNOD;
  }
  return mask;
}

std::vector<bpf_insn> compile_rule(const oci::DeviceRule& rule) {
  std::vector<bpf_insn> out;
  std::vector<std::size_t> to_next;  // jumps to behind this rule
  auto unless_equal = [&](int reg, std::int32_t value) {
    to_next.push_back(out.size());
    out.push_back(insn(BPF_JMP | BPF_JNE | BPF_K, reg, 0, 0, value));
  };
  if (rule.type == "c" || rule.type == "u") unless_equal(BPF_REG_2, BPF_DEVCG_DEV_CHAR);
  if (rule.type == "b") unless_equal(BPF_REG_2, BPF_DEVCG_DEV_BLOCK);
  std::int32_t mask = access_mask(rule);
  if (mask != 7 && mask != 0) {
    out.push_back(insn(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_3, 0, 0));
    out.push_back(insn(BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_6, 0, 0, mask));
    if (rule.allow) {  // all that is asked for must be allowed
      to_next.push_back(out.size());
      out.push_back(insn(BPF_JMP | BPF_JNE | BPF_X, BPF_REG_6, BPF_REG_3, 0, 0));
    } else {  // anything of it that is denied denies
      to_next.push_back(out.size());
      out.push_back(insn(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_6, 0, 0, 0));
    }
  }
  if (rule.major.value_or(-1) >= 0) unless_equal(BPF_REG_4, static_cast<std::int32_t>(*rule.major));
  if (rule.minor.value_or(-1) >= 0) unless_equal(BPF_REG_5, static_cast<std::int32_t>(*rule.minor));
  out.push_back(move(BPF_REG_0, rule.allow ? 1 : 0));
  out.push_back(leave());
  for (auto at : to_next) out[at].off = static_cast<__s16>(out.size() - at - 1);
  return out;
}

}  // namespace

std::vector<bpf_insn> compile_device_filter(const std::vector<oci::DeviceRule>& effective_rules) {
  std::vector<bpf_insn> program = {
      load(BPF_REG_2, 0),
      insn(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0),
      insn(BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff),
      insn(BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16),
      load(BPF_REG_4, 4),
      load(BPF_REG_5, 8),
  };
  for (auto rule = effective_rules.rbegin(); rule != effective_rules.rend(); ++rule) {
    auto part = compile_rule(*rule);
    program.insert(program.end(), part.begin(), part.end());
    // It matches everything: the verifier refuses what could never be reached behind it.
    if (part.size() == 2) return program;
  }
  program.push_back(move(BPF_REG_0, 0));
  program.push_back(leave());
  return program;
}

void attach_device_filter(const CgroupHandle& cgroup, const std::vector<oci::DeviceRule>& rules) {
  auto program = compile_device_filter(effective_device_rules(rules));
  bpf_attr attr{};
  attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attr.insns = reinterpret_cast<std::uint64_t>(program.data());
  attr.insn_cnt = static_cast<__u32>(program.size());
  attr.license = reinterpret_cast<std::uint64_t>("Apache-2.0");
  os::Fd filter(static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr)));
  if (!filter) os::fail("load the device filter");
  os::Fd group = os::open_file(os::path_join(cgroup.layout.root, cgroup.path), O_RDONLY | O_DIRECTORY);
  bpf_attr attach{};
  attach.target_fd = static_cast<__u32>(group.get());
  attach.attach_bpf_fd = static_cast<__u32>(filter.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  os::check(::syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach), "attach the device filter");
}

}  // namespace proa::runtime
