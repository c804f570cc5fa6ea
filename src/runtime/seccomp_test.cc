#include "runtime/seccomp.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "base/text.h"
#include "os/fd.h"
#include "os/file.h"
#include "runtime/seccomp_arch.h"
#include "runtime/syscall_table.h"

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

// What the library calls them; only those it knows. 2.5 has no LOONGARCH64, M68K, SH and SHEB; with 2.6.1 in its place
// (LD_LIBRARY_PATH) these tests cover them too.
const std::map<std::string, std::uint32_t> kArchTokens = [] {
  std::map<std::string, std::uint32_t> tokens;
  for (const auto& arch : seccomp::all_archs()) {
    std::string name = to_lower(arch.name.substr(std::string_view("SCMP_ARCH_").size()));
    if (auto token = seccomp_arch_resolve_name(name.c_str())) tokens.emplace(arch.name, token);
  }
  return tokens;
}();
constexpr const char* kLittleNative = "SCMP_ARCH_X86_64";
constexpr const char* kBigNative = "SCMP_ARCH_S390X";

// Where an architecture's numbers begin.
std::uint32_t base_of(const seccomp::Arch& arch) {
  switch (arch.table) {
    case SyscallTable::X32:
      return seccomp::kX32Bit;
    case SyscallTable::Mips:
      return 4000;
    case SyscallTable::Mips64:
      return 5000;
    case SyscallTable::Mips64n32:
      return 6000;
    default:
      return 0;
  }
}

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

// The filter as a machine of the other byte order has it, in this one's.
void turn_round(std::vector<sock_filter>& code) {
  for (auto& one : code) {
    one.code = __builtin_bswap16(one.code);
    one.k = __builtin_bswap32(one.k);
  }
}

// The filter libseccomp makes of a profile, driven as runc drives it.
std::vector<sock_filter> by_library(const oci::Seccomp& profile, const seccomp::Arch& native) {
  std::uint32_t standard = library_action(profile.default_action, profile.default_errno_ret.value_or(1));
  scmp_filter_ctx context = seccomp_init(standard);
  if (native.big_endian) {
    EXPECT_EQ(seccomp_arch_remove(context, SCMP_ARCH_NATIVE), 0);
    EXPECT_EQ(seccomp_arch_add(context, kArchTokens.at(std::string(native.name))), 0);
  }
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
  if (native.big_endian) turn_round(code);
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
  if (last.contains("SCMP_ARCH_X86_64") && !last.contains("SCMP_ARCH_X32")) last["SCMP_ARCH_X32"] = 0;
  return last;
}

// An argument as a filter of that byte order finds it.
std::uint64_t argument(std::uint64_t value, bool big_endian) { return big_endian ? value >> 32 | value << 32 : value; }

void expect_like_library(const oci::Seccomp& profile, const std::vector<std::uint64_t>& values, bool stub,
                         std::string_view native_name = kLittleNative) {
  const auto& native = seccomp::parse_arch(native_name);
  auto ours = compile_seccomp(profile, native_name).instructions;
  auto theirs = by_library(profile, native);
  auto newest = newest_of(profile);
  int differences = 0;
  for (const auto& arch : seccomp::all_archs()) {
    auto last = newest.find(std::string(arch.name));
    bool named = last != newest.end();
    std::uint32_t base = base_of(arch);
    // Below the numbers of x32 are those of x86_64.
    std::uint32_t before = arch.table == SyscallTable::X32 ? 0 : std::min(base, 2U);
    for (std::uint32_t nr = base - before; nr <= base + 600; ++nr) {
      seccomp_data data{};
      data.arch = arch.audit;
      data.nr = static_cast<int>(nr);
      bool newer = stub && named && nr > static_cast<std::uint32_t>(last->second);
      for (std::uint64_t first : values) {
        for (std::uint64_t second : values) {
          data.args[0] = argument(first, native.big_endian);
          data.args[1] = argument(second, native.big_endian);
          data.args[2] = argument(first ^ second, native.big_endian);
          std::uint32_t got = interpret(ours, data);
          // What the library does not know is the tail that runc puts before its filter.
          std::uint32_t want = newer ? SECCOMP_RET_ERRNO | ENOSYS : interpret(theirs, data);
          if (got != want && ++differences < 10) {
            ADD_FAILURE() << arch.name << " nr " << nr << " args " << std::hex << first << " " << second << ": " << got
                          << ", libseccomp " << want;
          }
          if (!named) break;  // one answer to everything
        }
        if (!named) break;
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

oci::Seccomp profile_beside(const std::string& native, const std::string& arch) {
  oci::Seccomp profile;
  profile.default_action = "SCMP_ACT_ERRNO";
  profile.architectures = {native};
  if (arch != native) profile.architectures.push_back(arch);
  return profile;
}

TEST(Seccomp, IsWhatLibseccompMakesForEveryArchitecture) {
  for (const auto& [arch, token] : kArchTokens) {
    if (arch == "SCMP_ARCH_X32") continue;  // with X86_64, above
    const char* native = seccomp::parse_arch(arch).big_endian ? kBigNative : kLittleNative;
    oci::Seccomp profile = profile_beside(native, arch);
    profile.syscalls = {rule({"read", "write", "openat2", "futex", "mmap", "process_madvise"}, "SCMP_ACT_ALLOW"),
                        rule({"personality", "ioctl"}, "SCMP_ACT_ALLOW", {{1, 39, 0, "SCMP_CMP_LE"}}),
                        rule({"kill"}, "SCMP_ACT_ERRNO", {}, 38)};
    SCOPED_TRACE(arch);
    expect_like_library(profile, {0, 1, 39, 40, 0x100000027, ~std::uint64_t{0}}, true, native);
  }
}

// Where socketcall(2) and ipc(2) are, a rule for one of their calls is for them too.
TEST(Seccomp, ReachesCallsThroughTheirMultiplexerAsLibseccompDoes) {
  for (const auto& [arch, token] : kArchTokens) {
    const char* native = seccomp::parse_arch(arch).big_endian ? kBigNative : kLittleNative;
    oci::Seccomp profile = profile_beside(native, arch);
    profile.syscalls = {rule({"openat2", "socket", "recvmmsg", "sendmmsg", "shmctl", "semop"}, "SCMP_ACT_ALLOW"),
                        rule({"connect", "msgsnd"}, "SCMP_ACT_ERRNO", {}, 38),
                        rule({"bind", "msgget"}, "SCMP_ACT_ALLOW", {{0, 39, 0, "SCMP_CMP_NE"}}),
                        rule({"listen", "msgctl"}, "SCMP_ACT_ALLOW", {{1, 39, 0, "SCMP_CMP_GT"}})};
    SCOPED_TRACE(arch);
    expect_like_library(profile,
                        {0, 1, 2, 3, 4, 11, 13, 14, 19, 20, 24, 39, 40, 0x100000001, 0x100000027, ~std::uint64_t{0}},
                        true, native);
  }
}

TEST(Seccomp, KnowsTheNumbersThatLibseccompKnows) {
  for (const auto& [name, token] : kArchTokens) {
    const auto& arch = seccomp::parse_arch(name);
    int known = 0;
    auto check = [&](std::uint32_t nr) {
      std::unique_ptr<char, decltype(&std::free)> call(seccomp_syscall_resolve_num_arch(token, static_cast<int>(nr)),
                                                       &std::free);
      // The library gives _llseek to 64-bit programs of PA-RISC too, the kernel does not.
      if (!call || (name == "SCMP_ARCH_PARISC64" && std::string_view(call.get()) == "_llseek")) return;
      ++known;
      auto found = find_syscall(call.get());
      ASSERT_TRUE(found) << name << " " << call.get();
      std::uint32_t bit = arch.table == SyscallTable::X32 ? seccomp::kX32Bit : 0;
      EXPECT_EQ(static_cast<std::uint32_t>(found->number(arch.table)) | bit, nr) << name << " " << call.get();
    };
    for (std::uint32_t nr = base_of(arch); nr < base_of(arch) + 1000; ++nr) check(nr);
    for (std::uint32_t nr = 0xf0000; nr < 0xf0010; ++nr) check(nr);  // ARM's own
    EXPECT_GT(known, 250) << name;
  }
}

TEST(Seccomp, TakesTheArchitecturesOfOneByteOrderAsLibseccompDoes) {
  for (const auto& [arch, token] : kArchTokens) {
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
    int added = seccomp_arch_add(context, token);
    seccomp_release(context);
    oci::Seccomp profile;
    profile.default_action = "SCMP_ACT_ALLOW";
    profile.architectures = {arch};
    if (added == -EDOM) {
      EXPECT_THROW(compile_seccomp(profile, kLittleNative), Error) << arch;
      EXPECT_NO_THROW(compile_seccomp(profile, kBigNative)) << arch;
    } else {
      EXPECT_NO_THROW(compile_seccomp(profile, kLittleNative)) << arch;
      EXPECT_THROW(compile_seccomp(profile, kBigNative), Error) << arch;
    }
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
