#include "runtime/seccomp.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <unistd.h>

#include <cstring>
#include <map>

#include "base/text.h"
#include "os/fd.h"
#include "os/file.h"

namespace proa::runtime {
namespace {

// A small machine for classic BPF, as the kernel restricts it for seccomp.
std::uint32_t interpret(const std::vector<sock_filter>& code, const seccomp_data& data) {
  std::uint32_t a = 0, x = 0;
  std::uint32_t memory[16] = {};
  for (std::size_t pc = 0; pc < code.size(); ++pc) {
    const auto& i = code[pc];
    std::uint32_t operand = i.code & BPF_X ? x : i.k;
    switch (i.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&a, reinterpret_cast<const char*>(&data) + i.k, 4);
        break;
      case BPF_LD | BPF_MEM:
        a = memory[i.k];
        break;
      case BPF_ST:
        memory[i.k] = a;
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        a &= i.k;
        break;
      case BPF_JMP | BPF_JA:
        pc += i.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        pc += a == operand ? i.jt : i.jf;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        pc += a > operand ? i.jt : i.jf;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        pc += a >= operand ? i.jt : i.jf;
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        pc += a & operand ? i.jt : i.jf;
        break;
      case BPF_RET | BPF_K:
        return i.k;
      default:
        ADD_FAILURE() << "instruction " << i.code;
        return 0;
    }
  }
  ADD_FAILURE() << "ran off the end";
  return 0;
}

const std::map<std::string, std::uint32_t> kArchTokens = {
    {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},  {"SCMP_ARCH_X86", SCMP_ARCH_X86},
    {"SCMP_ARCH_X32", SCMP_ARCH_X32},        {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
    {"SCMP_ARCH_ARM", SCMP_ARCH_ARM},        {"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
    {"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE}};
const std::map<std::string, scmp_compare> kOps = {{"SCMP_CMP_EQ", SCMP_CMP_EQ},
                                                  {"SCMP_CMP_NE", SCMP_CMP_NE},
                                                  {"SCMP_CMP_LT", SCMP_CMP_LT},
                                                  {"SCMP_CMP_LE", SCMP_CMP_LE},
                                                  {"SCMP_CMP_GT", SCMP_CMP_GT},
                                                  {"SCMP_CMP_GE", SCMP_CMP_GE},
                                                  {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};

std::uint32_t library_action(const std::string& name, std::uint32_t errno_ret) {
  if (name == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
  if (name == "SCMP_ACT_KILL_PROCESS") return SCMP_ACT_KILL_PROCESS;
  if (name == "SCMP_ACT_LOG") return SCMP_ACT_LOG;
  return SCMP_ACT_ERRNO(errno_ret);
}

// The filter libseccomp makes of a profile, driven as runc drives it.
std::vector<sock_filter> by_library(const oci::Seccomp& profile) {
  std::uint32_t standard = library_action(profile.default_action, profile.default_errno_ret.value_or(1));
  scmp_filter_ctx context = seccomp_init(standard);
  for (const auto& arch : profile.architectures) seccomp_arch_add(context, kArchTokens.at(arch));
  for (const auto& rule : profile.syscalls) {
    std::uint32_t action = library_action(rule.action, rule.errno_ret.value_or(1));
    if (action == standard) continue;
    std::vector<scmp_arg_cmp> all;
    std::map<unsigned, int> counts;
    bool repeated = false;
    for (const auto& arg : rule.args) {
      all.push_back({arg.index, kOps.at(arg.op), arg.value, arg.value_two});
      repeated |= ++counts[arg.index] > 1;
    }
    for (const auto& name : rule.names) {
      int number = seccomp_syscall_resolve_name(name.c_str());
      if (number == __NR_SCMP_ERROR) continue;
      if (repeated) {
        for (const auto& one : all) seccomp_rule_add_array(context, action, number, 1, &one);
      } else {
        seccomp_rule_add_array(context, action, number, static_cast<unsigned>(all.size()), all.data());
      }
    }
  }
  std::string path = cat("/tmp/proa-seccomp-test-", ::getpid());
  os::Fd file = os::open_file(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  os::remove_file(path);
  EXPECT_EQ(seccomp_export_bpf(context, file.get()), 0);
  seccomp_release(context);
  ::lseek(file.get(), 0, SEEK_SET);
  std::string bytes = os::read_all(file.get());
  std::vector<sock_filter> code(bytes.size() / sizeof(sock_filter));
  std::memcpy(code.data(), bytes.data(), bytes.size());
  return code;
}

// The highest number the profile names, per architecture it is for; an x32 number is above every x86_64 one.
std::map<std::string, int> newest_of(const oci::Seccomp& profile) {
  std::map<std::string, int> last;
  for (const auto& arch : profile.architectures) {
    last[arch] = -1;
    for (const auto& one : profile.syscalls) {
      for (const auto& name : one.names) {
        int found = seccomp_syscall_resolve_name_arch(kArchTokens.at(arch), name.c_str());
        if (found != __NR_SCMP_ERROR && found >= 0) last[arch] = std::max(last[arch], found);
      }
    }
  }
  if (!last.contains("SCMP_ARCH_X32")) last["SCMP_ARCH_X32"] = 0;
  return last;
}

void expect_like_library(const oci::Seccomp& profile, const std::vector<std::uint64_t>& values, bool stub) {
  auto ours = compile_seccomp(profile, "SCMP_ARCH_X86_64").instructions;
  auto theirs = by_library(profile);
  auto newest = newest_of(profile);
  struct Case {
    const char* arch;
    std::uint32_t audit, base;
  };
  int differences = 0;
  for (const Case& c : {Case{"SCMP_ARCH_X86_64", AUDIT_ARCH_X86_64, 0}, Case{"SCMP_ARCH_X86", AUDIT_ARCH_I386, 0},
                        Case{"SCMP_ARCH_X32", AUDIT_ARCH_X86_64, 0x40000000},
                        Case{"SCMP_ARCH_AARCH64", AUDIT_ARCH_AARCH64, 0}, Case{"SCMP_ARCH_ARM", AUDIT_ARCH_ARM, 0},
                        Case{"SCMP_ARCH_RISCV64", AUDIT_ARCH_RISCV64, 0}, Case{"SCMP_ARCH_S390X", AUDIT_ARCH_S390X, 0},
                        Case{"SCMP_ARCH_PPC64LE", AUDIT_ARCH_PPC64LE, 0}, Case{"SCMP_ARCH_PPC", AUDIT_ARCH_PPC, 0}}) {
    auto last = newest.find(c.arch);
    for (std::uint32_t nr = 0; nr <= 600; ++nr) {
      seccomp_data data{};
      data.arch = c.audit;
      data.nr = static_cast<int>(c.base | nr);
      bool newer = stub && last != newest.end() && (c.base | nr) > static_cast<std::uint32_t>(last->second);
      for (std::uint64_t first : values) {
        for (std::uint64_t second : values) {
          data.args[0] = first;
          data.args[1] = second;
          data.args[2] = first ^ second;
          std::uint32_t got = interpret(ours, data);
          // What the library does not know is the tail that runc puts before its filter.
          std::uint32_t want = newer ? SECCOMP_RET_ERRNO | ENOSYS : interpret(theirs, data);
          if (got != want && ++differences < 10) {
            ADD_FAILURE() << c.arch << " nr " << nr << " args " << std::hex << first << " " << second << ": " << got
                          << ", libseccomp " << want;
          }
        }
      }
    }
  }
  EXPECT_EQ(differences, 0);
}

oci::SeccompRule rule(std::vector<std::string> names, std::string action, std::vector<oci::SeccompArg> args = {},
                      std::optional<std::uint32_t> errno_ret = std::nullopt) {
  return {std::move(names), std::move(action), errno_ret, std::move(args)};
}

const std::vector<std::uint64_t> kValues = {
    0,       1,          2,           38,          39,         40,   41,         0x20000,
    0x20008, 0xffffffff, 0x100000000, 0x100000026, 0x7e020000, 0x11, 0x80000000, ~std::uint64_t{0}};

TEST(Seccomp, IsWhatLibseccompMakesOfEveryOperator) {
  for (const auto& [op, token] : kOps) {
    for (std::uint64_t value :
         {std::uint64_t{0}, std::uint64_t{39}, std::uint64_t{0x100000026}, std::uint64_t{0xffffffff}}) {
      oci::Seccomp profile;
      profile.default_action = "SCMP_ACT_ERRNO";
      profile.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
      profile.syscalls = {rule({"read", "futex_waitv"}, "SCMP_ACT_ALLOW"),
                          rule({"personality", "kill"}, "SCMP_ACT_ALLOW",
                               {{0, op == "SCMP_CMP_MASKED_EQ" ? 0xff00000fULL : value,
                                 op == "SCMP_CMP_MASKED_EQ" ? value & 0xff00000fULL : 0, op}})};
      SCOPED_TRACE(op);
      expect_like_library(profile, kValues, true);
    }
  }
}

TEST(Seccomp, TakesAllConditionsTogetherAndAnyWhenAnArgumentIsNamedTwice) {
  oci::Seccomp profile;
  profile.default_action = "SCMP_ACT_ERRNO";
  profile.default_errno_ret = 13;
  profile.architectures = {"SCMP_ARCH_X86_64"};
  profile.syscalls = {rule({"ioctl"}, "SCMP_ACT_ALLOW", {{0, 38, 0, "SCMP_CMP_LT"}, {1, 39, 0, "SCMP_CMP_GT"}}),
                      rule({"fcntl"}, "SCMP_ACT_ALLOW", {{1, 1, 0, "SCMP_CMP_EQ"}, {1, 40, 0, "SCMP_CMP_EQ"}}),
                      rule({"kill"}, "SCMP_ACT_ERRNO", {{2, 1, 0, "SCMP_CMP_GE"}}, 38)};
  expect_like_library(profile, kValues, true);
}

// s390x is left out: the library does not put architectures of both byte orders into one filter.
TEST(Seccomp, IsWhatLibseccompMakesForEveryArchitecture) {
  for (const auto& [arch, token] : kArchTokens) {
    if (arch == "SCMP_ARCH_X32") continue;  // with X86_64, above
    oci::Seccomp profile;
    profile.default_action = "SCMP_ACT_ERRNO";
    profile.architectures = {"SCMP_ARCH_X86_64"};
    if (arch != "SCMP_ARCH_X86_64") profile.architectures.push_back(arch);
    profile.syscalls = {rule({"read", "write", "openat2", "futex", "mmap", "process_madvise"}, "SCMP_ACT_ALLOW"),
                        rule({"personality", "ioctl"}, "SCMP_ACT_ALLOW", {{1, 39, 0, "SCMP_CMP_LE"}}),
                        rule({"kill"}, "SCMP_ACT_ERRNO", {}, 38)};
    SCOPED_TRACE(arch);
    expect_like_library(profile, {0, 1, 39, 40, 0x100000027, ~std::uint64_t{0}}, true);
  }
}

TEST(Seccomp, HasNoTailWhenTheDefaultAllows) {
  oci::Seccomp profile;
  profile.default_action = "SCMP_ACT_ALLOW";
  profile.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
  profile.syscalls = {rule({"mkdir", "chmod"}, "SCMP_ACT_ERRNO"), rule({"reboot"}, "SCMP_ACT_KILL_PROCESS")};
  auto ours = compile_seccomp(profile, "SCMP_ARCH_X86_64");
  seccomp_data data{};
  data.arch = AUDIT_ARCH_X86_64;
  data.nr = 599;
  EXPECT_EQ(interpret(ours.instructions, data), SECCOMP_RET_ALLOW);
  expect_like_library(profile, {0, 1}, false);
}

TEST(Seccomp, ReadsPodmansProfileAsLibseccompDoes) {
  auto text = os::try_read_file("/usr/share/containers/seccomp.json");
  if (!text) GTEST_SKIP() << "no /usr/share/containers/seccomp.json here";
  Json json = json::parse(*text);
  oci::Seccomp profile;
  profile.default_action = "SCMP_ACT_ERRNO";
  profile.default_errno_ret = 1;
  profile.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
  for (const Json& item : json.at("syscalls").as_array()) {
    if (const Json* excludes = json::find(item, "excludes"); excludes && !excludes->as_object().empty()) continue;
    if (const Json* includes = json::find(item, "includes"); includes && !includes->as_object().empty()) continue;
    oci::SeccompRule one;
    for (const Json& name : item.at("names").as_array()) one.names.emplace_back(name.as_string());
    one.action = json::string_at(item, "action");
    if (const Json* errno_ret = json::find(item, "errnoRet"); errno_ret && errno_ret->is_int64()) {
      one.errno_ret = static_cast<std::uint32_t>(errno_ret->get_int64());
    }
    if (const Json* args = json::find(item, "args"); args && args->is_array()) {
      for (const Json& arg : args->get_array()) {
        one.args.push_back({static_cast<std::uint32_t>(json::int_at(arg, "index")),
                            static_cast<std::uint64_t>(json::int_at(arg, "value")),
                            static_cast<std::uint64_t>(json::int_at(arg, "valueTwo")), json::string_at(arg, "op")});
      }
    }
    profile.syscalls.push_back(std::move(one));
  }
  expect_like_library(profile, kValues, true);
  EXPECT_LT(compile_seccomp(profile, "SCMP_ARCH_X86_64").instructions.size(), 600U);
}

TEST(Seccomp, RefusesWhatItDoesNotUnderstand) {
  oci::Seccomp profile;
  profile.default_action = "SCMP_ACT_MAYBE";
  EXPECT_THROW(compile_seccomp(profile), Error);
  profile.default_action = "SCMP_ACT_ERRNO";
  profile.architectures = {"SCMP_ARCH_PDP11"};
  EXPECT_THROW(compile_seccomp(profile), Error);
  profile.architectures.clear();
  profile.syscalls = {rule({"read"}, "SCMP_ACT_ALLOW", {{6, 0, 0, "SCMP_CMP_EQ"}})};
  EXPECT_THROW(compile_seccomp(profile), Error);
  profile.syscalls = {rule({"read"}, "SCMP_ACT_ALLOW", {{0, 0, 0, "SCMP_CMP_LIKE"}})};
  EXPECT_THROW(compile_seccomp(profile), Error);
  profile.syscalls = {rule({"read"}, "SCMP_ACT_ERRNO", {}, 4096)};
  EXPECT_THROW(compile_seccomp(profile), Error);
  profile.syscalls = {rule({"read"}, "SCMP_ACT_ERRNO", {}, 4095)};
  EXPECT_NO_THROW(compile_seccomp(profile));
  profile.syscalls = {rule({"no_such_call"}, "SCMP_ACT_ALLOW")};
  EXPECT_NO_THROW(compile_seccomp(profile));
}

}  // namespace
TEST(Seccomp, AProgramIsTheSameAfterItsWay) {
  oci::Seccomp profile;
  profile.default_action = "SCMP_ACT_ALLOW";
  profile.flags = {"SECCOMP_FILTER_FLAG_LOG"};
  profile.syscalls.push_back({.names = {"getpid"}, .action = "SCMP_ACT_ERRNO", .errno_ret = 38, .args = {}});
  auto sent = compile_seccomp(profile);
  auto received = program_from_bytes(to_bytes(sent));
  EXPECT_EQ(received.flags, sent.flags);
  EXPECT_NE(sent.flags, 0u);
  ASSERT_EQ(received.instructions.size(), sent.instructions.size());
  for (std::size_t i = 0; i < sent.instructions.size(); ++i) {
    EXPECT_EQ(received.instructions[i].code, sent.instructions[i].code);
    EXPECT_EQ(received.instructions[i].k, sent.instructions[i].k);
    EXPECT_EQ(received.instructions[i].jt, sent.instructions[i].jt);
    EXPECT_EQ(received.instructions[i].jf, sent.instructions[i].jf);
  }
}

TEST(Seccomp, BytesThatAreNoProgramAreRefused) {
  EXPECT_THROW(program_from_bytes(""), Error);
  EXPECT_THROW(program_from_bytes("abc"), Error);
  EXPECT_THROW(program_from_bytes(std::string(4 + 7, 'x')), Error);
  EXPECT_THROW(program_from_bytes(std::string(4 + 8 * 5000, 'x')), Error);
}

}  // namespace proa::runtime
