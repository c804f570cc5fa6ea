// The decisions that touch nothing: mounts, cgroup writes, namespaces, sysctls, specifications.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "runtime/arguments.h"
#include "runtime/cgroup_plan.h"
#include "runtime/device_filter.h"
#include "runtime/handshake.h"
#include "runtime/limits.h"
#include "runtime/mount_plan.h"
#include "runtime/namespaces.h"
#include "runtime/spec_check.h"
#include "runtime/systemd_scope.h"

namespace proa::runtime {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

oci::Mount mount(std::string destination, std::string type, std::string source, std::vector<std::string> options) {
  return {std::move(destination), std::move(type), std::move(source), std::move(options), {}, {}};
}

TEST(MountPlan, DividesOptionsIntoAttributesAndParameters) {
  auto step = plan_mount(mount("/dev/../dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
  EXPECT_EQ(step.kind, MountKind::Filesystem);
  EXPECT_EQ(step.destination, "/dev");
  EXPECT_EQ(step.set, static_cast<std::uint64_t>(MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME));
  EXPECT_EQ(step.parameters, (os::MountParameters{{"mode", "755"}, {"size", "65536k"}}));
}

TEST(MountPlan, ReadsBindsTheirRecursionAndPropagation) {
  auto step = plan_mount(mount("/data", "", "/srv", {"rbind", "ro", "rnosuid", "rslave"}));
  EXPECT_EQ(step.kind, MountKind::Bind);
  EXPECT_TRUE(step.recursive);
  EXPECT_EQ(step.set, static_cast<std::uint64_t>(MOUNT_ATTR_RDONLY));
  EXPECT_EQ(step.set_all, static_cast<std::uint64_t>(MOUNT_ATTR_NOSUID));
  EXPECT_EQ(step.propagation, static_cast<std::uint64_t>(MS_SLAVE));
  EXPECT_TRUE(step.propagation_recursive);
  auto last_wins = plan_mount(mount("/data", "bind", "/srv", {"ro", "rw"}));
  EXPECT_EQ(last_wins.set, 0U);
  EXPECT_EQ(last_wins.clear, static_cast<std::uint64_t>(MOUNT_ATTR_RDONLY));
}

TEST(MountPlan, RefusesWhatMeansNothing) {
  EXPECT_THROW(plan_mount(mount("/data", "bind", "/srv", {"size=5"})), Error);
  EXPECT_THROW(plan_mount(mount("/data", "bind", "", {})), Error);
  EXPECT_THROW(plan_mount(mount("", "tmpfs", "tmpfs", {})), Error);
  EXPECT_THROW(plan_mount(mount("/x", "", "tmpfs", {})), Error);
  EXPECT_THROW(rootfs_propagation("sharedd"), Error);
  EXPECT_EQ(rootfs_propagation("rshared"), static_cast<unsigned long>(MS_SHARED | MS_REC));
}

TEST(MountPlan, LabelsWhatIsMadeForTheContainer) {
  oci::Spec spec;
  spec.linux.mount_label = "system_u:object_r:container_file_t:s0:c1,c2";
  spec.mounts = {mount("/dev", "tmpfs", "tmpfs", {"mode=755"}),
                 mount("/proc", "proc", "proc", {}),
                 mount("/sys", "sysfs", "sysfs", {}),
                 mount("/data", "bind", "/srv", {"rbind"}),
                 mount("/dev/mqueue", "mqueue", "mqueue", {}),
                 mount("/sys/fs/cgroup", "cgroup", "cgroup", {}),
                 mount("/dev/pts", "devpts", "devpts", {"newinstance"})};
  auto steps = plan_mounts(spec);
  std::pair<std::string, std::string> label{"context", spec.linux.mount_label};
  for (const auto& step : steps) {
    bool as_parameter = step.type == "tmpfs" || step.type == "devpts";
    bool afterwards = step.type == "mqueue" || step.type == "cgroup";
    EXPECT_EQ(std::count(step.parameters.begin(), step.parameters.end(), label), as_parameter ? 1 : 0) << step.type;
    EXPECT_EQ(step.label, afterwards ? spec.linux.mount_label : "") << step.type;
  }
  auto quoted = plan_mount(mount("/x", "tmpfs", "tmpfs", {"context=\"a_u:b_r:c_t:s0:c1,c2\""}));
  EXPECT_EQ(quoted.parameters, (os::MountParameters{{"context", "a_u:b_r:c_t:s0:c1,c2"}}));
}

TEST(MountPlan, LetsOnlyKnownFilesBeMountedInProc) {
  EXPECT_TRUE(proc_destination_allowed("/proc/cpuinfo"));
  EXPECT_TRUE(proc_destination_allowed("/process"));
  for (const char* bad : {"/proc", "/proc/self/attr", "/proc/sys", "/proc/cpuinfo/x"}) {
    EXPECT_FALSE(proc_destination_allowed(bad)) << bad;
  }
}

oci::Resources some_resources() {
  oci::Resources out;
  out.memory.emplace();
  out.memory->limit = 512 << 20;
  out.memory->swap = 1024 << 20;
  out.memory->reservation = 256 << 20;
  out.cpu.emplace();
  out.cpu->shares = 512;
  out.cpu->quota = 50000;
  out.cpu->period = 100000;
  out.cpu->cpus = "0-1";
  out.pids = oci::PidsLimits{100};
  out.block_io.emplace();
  out.block_io->throttle_read_bps_device = {{8, 0, 1048576}};
  return out;
}

std::vector<std::string> rendered(const std::vector<CgroupWrite>& writes) {
  std::vector<std::string> out;
  for (const auto& write : writes) {
    if (write.controller != "devices") out.push_back(write.file + "=" + write.value);
  }
  return out;
}

TEST(CgroupPlan, WritesVersionOne) {
  EXPECT_THAT(rendered(plan_cgroup(some_resources(), CgroupVersion::One)),
              ElementsAre("memory.limit_in_bytes=536870912", "memory.memsw.limit_in_bytes=1073741824",
                          "memory.soft_limit_in_bytes=268435456", "cpu.shares=512", "cpu.cfs_period_us=100000",
                          "cpu.cfs_quota_us=50000", "cpuset.cpus=0-1", "pids.max=100",
                          "blkio.throttle.read_bps_device=8:0 1048576"));
}

TEST(CgroupPlan, RaisesSwapBeforeMemoryInAnUpdate) {
  auto writes = rendered(plan_cgroup(some_resources(), CgroupVersion::One, {.update = true}));
  EXPECT_EQ(writes[0], "memory.memsw.limit_in_bytes=1073741824");
  EXPECT_EQ(writes[1], "memory.limit_in_bytes=536870912");
}

TEST(CgroupPlan, LowersMemoryBeforeSwapAndLeavesTheDevicesOfARunningContainerAlone) {
  auto writes = plan_cgroup(some_resources(), CgroupVersion::One, {.update = true, .memory_first = true});
  EXPECT_EQ(rendered(writes)[0], "memory.limit_in_bytes=536870912");
  EXPECT_EQ(rendered(writes).size(), writes.size());
}

TEST(CgroupPlan, WritesVersionTwo) {
  EXPECT_THAT(rendered(plan_cgroup(some_resources(), CgroupVersion::Two)),
              ElementsAre("memory.swap.max=536870912", "memory.max=536870912", "memory.low=268435456", "cpu.weight=59",
                          "cpu.max=50000 100000", "cpuset.cpus=0-1", "pids.max=100", "io.max=8:0 rbps=1048576"));
  EXPECT_EQ(cpu_weight_of_shares(2), 1U);
  EXPECT_EQ(cpu_weight_of_shares(262144), 10000U);
  for (const char* name : {"../memory.max", "memory", ".max"}) {
    oci::Resources bad;
    bad.unified = {{name, "1"}};
    EXPECT_THROW(plan_cgroup(bad, CgroupVersion::Two), Error) << name;
  }
}

TEST(CgroupPlan, TurnsTheDefaultWeightsIntoTheDefaultWeights) {
  EXPECT_EQ(cpu_weight_of_shares(0), 0U);
  EXPECT_EQ(cpu_weight_of_shares(2), 1U);
  EXPECT_EQ(cpu_weight_of_shares(1024), 100U);
  EXPECT_EQ(cpu_weight_of_shares(262'144), 10'000U);
  EXPECT_EQ(io_weight_of_block_io(10), 1U);
  EXPECT_EQ(io_weight_of_block_io(1000), 10'000U);
}

TEST(CgroupPlan, CountsSwapAloneOnVersionTwo) {
  auto swap = [](std::int64_t limit, std::int64_t both) {
    oci::Resources resources;
    resources.memory.emplace();
    resources.memory->limit = limit;
    resources.memory->swap = both;
    auto writes = plan_cgroup(resources, CgroupVersion::Two);
    return !writes.empty() && writes[0].file == "memory.swap.max" ? writes[0].value : "";
  };
  EXPECT_EQ(swap(100, 300), "200");
  EXPECT_EQ(swap(100, 100), "0");
  EXPECT_EQ(swap(100, 0), "");
  EXPECT_EQ(swap(100, -1), "max");
  EXPECT_EQ(swap(-1, 0), "max");
  EXPECT_THROW(swap(100, 50), Error);
  EXPECT_THROW(swap(0, 50), Error);
}

TEST(CgroupPlan, NamesTheWeightToUseWhereTheSchedulerHasNone) {
  oci::Resources resources;
  resources.block_io.emplace();
  resources.block_io->weight = 500;
  resources.block_io->weight_device.push_back({.major = 8, .minor = 0, .weight = 10, .leaf_weight = {}});
  auto writes = plan_cgroup(resources, CgroupVersion::Two);
  EXPECT_THAT(rendered(writes),
              ElementsAre("io.bfq.weight=500", "io.weight=4950", "io.bfq.weight=8:0 10", "io.weight=8:0 1"));
  EXPECT_TRUE(writes[0].optional && !writes[0].instead && writes[1].instead);
}

TEST(CgroupPlan, LeavesNoWeightOfVersionOneOut) {
  oci::Resources resources;
  resources.block_io.emplace();
  resources.block_io->weight = 500;
  resources.block_io->leaf_weight = 300;
  resources.block_io->weight_device.push_back({.major = 8, .minor = 0, .weight = 10, .leaf_weight = 20});
  auto writes = plan_cgroup(resources, CgroupVersion::One);
  std::erase_if(writes, [](const CgroupWrite& write) { return write.controller == "devices"; });
  EXPECT_THAT(rendered(writes), ElementsAre("blkio.bfq.weight=500", "blkio.weight=500", "blkio.leaf_weight=300",
                                            "blkio.bfq.weight_device=8:0 10", "blkio.weight_device=8:0 10",
                                            "blkio.leaf_weight_device=8:0 20"));
  EXPECT_TRUE(writes[1].instead && !writes[2].optional && writes[4].instead && !writes[5].optional);
}

TEST(CgroupPlan, LimitsRdmaDevicesInBothVersions) {
  oci::Resources resources;
  resources.rdma = {{"mlx5_0", {.hca_handles = 3, .hca_objects = 10000}},
                    {"mlx4_0", {.hca_handles = {}, .hca_objects = 7}}};
  for (auto version : {CgroupVersion::One, CgroupVersion::Two}) {
    auto writes = plan_cgroup(resources, version);
    std::erase_if(writes, [](const CgroupWrite& write) { return write.file != "rdma.max"; });
    EXPECT_THAT(rendered(writes),
                ElementsAre("rdma.max=mlx4_0 hca_object=7", "rdma.max=mlx5_0 hca_handle=3 hca_object=10000"));
  }
}

TEST(CgroupPlan, MakesRoomForABurstInAnUpdate) {
  oci::Resources resources;
  resources.cpu.emplace();
  resources.cpu->quota = 1000;
  resources.cpu->burst = 500;
  EXPECT_THAT(rendered(plan_cgroup(resources, CgroupVersion::Two, {.update = true})),
              ElementsAre("cpu.max.burst=0", "cpu.max=1000 100000", "cpu.max.burst=500"));
}

TEST(CgroupPlan, DeniesEveryDeviceThatNoRuleAllows) {
  auto rules = effective_device_rules({});
  EXPECT_FALSE(rules.front().allow);
  EXPECT_EQ(rules.front().type, "a");
  std::vector<std::string> texts;
  for (const auto& rule : rules) texts.push_back(render_device_rule(rule));
  EXPECT_THAT(texts, Contains("c 1:3 rwm"));
  EXPECT_THAT(texts, Contains("c *:* m"));
  EXPECT_THAT(texts, Not(Contains("c *:* rwm")));
  oci::DeviceRule everything;
  everything.allow = true;
  everything.access = "rwm";
  EXPECT_EQ(effective_device_rules({everything}).size(), 1U);
  EXPECT_TRUE(effective_device_rules({everything})[0].allow);
}

// A small machine for the eBPF subset of the device filter.
bool device_allowed(const std::vector<bpf_insn>& program, int type, int access, int major, int minor) {
  std::int64_t reg[11] = {};
  const std::int64_t context[3] = {(access << 16) | type, major, minor};
  for (std::size_t pc = 0; pc < program.size(); ++pc) {
    const auto& i = program[pc];
    std::int64_t operand = BPF_SRC(i.code) == BPF_X ? reg[i.src_reg] : i.imm;
    switch (i.code & ~BPF_X) {
      case BPF_LDX | BPF_MEM | BPF_W:
        reg[i.dst_reg] = context[i.off / 4];
        break;
      case BPF_ALU64 | BPF_MOV:
        reg[i.dst_reg] = operand;
        break;
      case BPF_ALU64 | BPF_AND:
        reg[i.dst_reg] &= operand;
        break;
      case BPF_ALU64 | BPF_RSH:
        reg[i.dst_reg] >>= operand;
        break;
      case BPF_JMP | BPF_JNE:
        pc += reg[i.dst_reg] != operand ? static_cast<std::size_t>(i.off) : 0;
        break;
      case BPF_JMP | BPF_JEQ:
        pc += reg[i.dst_reg] == operand ? static_cast<std::size_t>(i.off) : 0;
        break;
      case BPF_JMP | BPF_EXIT:
        return reg[0] != 0;
      default:
        ADD_FAILURE() << "instruction " << int{i.code};
        return false;
    }
  }
  ADD_FAILURE() << "ran off the end";
  return false;
}

TEST(DeviceFilter, LetsTheLastMatchingRuleDecide) {
  oci::DeviceRule fuse;
  fuse.allow = true;
  fuse.type = "c";
  fuse.major = 10;
  fuse.minor = 229;
  fuse.access = "rw";
  auto program = compile_device_filter(effective_device_rules({fuse}));
  constexpr int kBlock = BPF_DEVCG_DEV_BLOCK, kChar = BPF_DEVCG_DEV_CHAR;
  constexpr int kRead = BPF_DEVCG_ACC_READ, kWrite = BPF_DEVCG_ACC_WRITE, kMknod = BPF_DEVCG_ACC_MKNOD;
  EXPECT_TRUE(device_allowed(program, kChar, kRead | kWrite, 1, 3));
  EXPECT_TRUE(device_allowed(program, kChar, kRead | kWrite, 136, 17));
  EXPECT_TRUE(device_allowed(program, kChar, kRead | kWrite, 10, 229));
  EXPECT_TRUE(device_allowed(program, kBlock, kMknod, 8, 0));
  EXPECT_FALSE(device_allowed(program, kBlock, kRead, 8, 0));
  EXPECT_FALSE(device_allowed(program, kChar, kRead, 1, 1));
  EXPECT_FALSE(device_allowed(program, kChar, kRead | kMknod, 1, 1));
  fuse.allow = false;
  auto denied = compile_device_filter(effective_device_rules({fuse}));
  EXPECT_FALSE(device_allowed(denied, kChar, kRead, 10, 229));
}

TEST(Namespaces, OfMessageQueuesAreMadeByANewUserNamespacesRoot) {
  oci::Linux linux;
  linux.namespaces = {{"mount", ""}, {"ipc", ""}};
  EXPECT_EQ(plan_namespaces(linux).clone_flags, static_cast<std::uint64_t>(CLONE_NEWNS | CLONE_NEWIPC));
  linux.namespaces.push_back({"user", ""});
  auto plan = plan_namespaces(linux);
  EXPECT_EQ(plan.clone_flags, static_cast<std::uint64_t>(CLONE_NEWNS | CLONE_NEWUSER));
  EXPECT_EQ(plan.root_flags, static_cast<std::uint64_t>(CLONE_NEWIPC));
  EXPECT_TRUE(plan.is_new(CLONE_NEWIPC));
}

TEST(Namespaces, ArePlannedByTypeAndRefusedTwice) {
  oci::Linux linux;
  linux.namespaces = {{"mount", ""}, {"pid", ""}, {"network", "/proc/self/fd/5"}, {"user", "/x"}, {"cgroup", ""}};
  auto plan = plan_namespaces(linux);
  EXPECT_EQ(plan.clone_flags, static_cast<std::uint64_t>(CLONE_NEWNS | CLONE_NEWPID));
  EXPECT_EQ(plan.unshare_flags, static_cast<std::uint64_t>(CLONE_NEWCGROUP));
  ASSERT_EQ(plan.joins.size(), 2U);
  EXPECT_EQ(plan.joins[0].flag, CLONE_NEWUSER);
  EXPECT_TRUE(plan.own(CLONE_NEWNET));
  EXPECT_FALSE(plan.own(CLONE_NEWUTS));
  linux.namespaces.push_back({"pid", ""});
  EXPECT_THROW(plan_namespaces(linux), Error);
  linux.namespaces.back().type = "magic";
  EXPECT_THROW(plan_namespaces(linux), Error);
}

TEST(Sysctl, IsAllowedOnlyInANamespaceOfItsOwn) {
  oci::Linux linux;
  NamespacePlan host = plan_namespaces(linux);
  linux.namespaces = {{"network", ""}, {"ipc", ""}};
  NamespacePlan own = plan_namespaces(linux);
  EXPECT_EQ(plan_sysctl("net.ipv4.ip_forward", own), "net/ipv4/ip_forward");
  EXPECT_EQ(plan_sysctl("net/ipv4/conf/eth0.100/forwarding", own), "net/ipv4/conf/eth0.100/forwarding");
  EXPECT_EQ(plan_sysctl("kernel.shmmax", own), "kernel/shmmax");
  EXPECT_THROW(plan_sysctl("net.ipv4.ip_forward", host), Error);
  EXPECT_THROW(plan_sysctl("kernel.shmmax", host), Error);
  for (const char* bad : {"kernel.core_pattern", "kernel.hostname", "vm.swappiness", "net/../kernel/core_pattern",
                          "net..kernel", "kernel.shm_rmid_forced=1+kernel.core_pattern", "", "net."}) {
    EXPECT_THROW(plan_sysctl(bad, own), Error) << bad;
  }
}

TEST(Handshake, CarriesWarningsAndSpans) {
  ReadyBody body;
  body.warnings = {"one", "two"};
  body.sent_at = 42;
  trace::Event event;
  event.name = "runtime.mount";
  event.attributes = {{"destination", "/proc"}};
  body.events = {event, event};
  body.events[1].parent = 0;
  std::string bytes = encode_ready(body);
  ReadyBody back = decode_ready(bytes);
  EXPECT_EQ(back.warnings, body.warnings);
  EXPECT_EQ(back.sent_at, 42);
  ASSERT_EQ(back.events.size(), 2U);
  EXPECT_EQ(back.events[1].parent, 0);
  EXPECT_EQ(back.events[1].attributes, event.attributes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(decode_ready(std::string_view(bytes).substr(0, size)), Error) << size;
  }
}

TEST(SpecCheck, RefusesWhatCannotBeActedOn) {
  oci::Spec good;
  good.oci_version = "1.0.2";
  good.root.path = "rootfs";
  good.process.args = {"sh"};
  good.process.cwd = "/";
  good.linux.namespaces = {{"mount", ""}, {"uts", ""}};
  EXPECT_NO_THROW(check_spec(good, false));
  auto refused = [&](auto&& change) {
    oci::Spec bad = good;
    change(bad);
    EXPECT_THROW(check_spec(bad, false), Error);
  };
  refused([](auto& s) { s.oci_version = "2.0"; });
  refused([](auto& s) { s.process.args.clear(); });
  refused([](auto& s) { s.process.cwd = "tmp"; });
  refused([](auto& s) { s.process.env = {std::string("A=\0B", 4)}; });
  refused([](auto& s) { s.linux.namespaces.pop_back(), s.hostname = "x"; });
  refused([](auto& s) { s.linux.namespaces.erase(s.linux.namespaces.begin()); });
  refused([](auto& s) { s.linux.masked_paths = {"proc/keys"}; });
  refused([](auto& s) { s.process.rlimits = {{"RLIMIT_NOFILE", 1, 2}}; });
  refused([](auto& s) { s.process.rlimits = {{"RLIMIT_FOO", 1, 1}}; });
  refused([](auto& s) { s.linux.uid_mappings = {{0, 1, 1}}; });
  for (const char* id : {"", ".", "..", "a/b", "a b"}) EXPECT_THROW(check_container_id(id), Error) << id;
}

TEST(RuntimeSpec, ComesBackFromItsJson) {
  auto text = R"({"ociVersion":"1.0.2","process":{"terminal":true,"user":{"uid":1,"gid":2,"additionalGids":[3]},
    "args":["a"],"cwd":"/","rlimits":[{"type":"RLIMIT_CORE","hard":18446744073709551615,"soft":0}]},
    "root":{"path":"r","readonly":true},"linux":{"resources":{"memory":{"limit":5},"devices":[{"allow":false,"access":"rwm"}]},
    "namespaces":[{"type":"pid"}],"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["x"],"action":"y"}]}}})";
  auto spec = oci::spec_from_json(json::parse(text));
  EXPECT_EQ(spec.process.rlimits[0].hard, UINT64_MAX);
  EXPECT_EQ(spec.linux.resources->memory->limit, 5);
  auto again = oci::spec_from_json(oci::to_json(spec));
  EXPECT_EQ(json::text(oci::to_json(spec)), json::text(oci::to_json(again)));
  EXPECT_THROW(oci::spec_from_json(json::parse(R"({"process":{"user":{"uid":-1}}})")), Error);
  EXPECT_THROW(oci::spec_from_json(json::parse(R"({"process":{"user":{"uid":4294967296}}})")), Error);
}

TEST(SystemdScope, IsNamedBySliceAndPrefix) {
  EXPECT_EQ(plan_scope("", "c1"), (ScopeName{"system.slice", "proa-c1.scope", "/system.slice/proa-c1.scope"}));
  EXPECT_EQ(plan_scope("a-b.slice:docker:c1", "x"),
            (ScopeName{"a-b.slice", "docker-c1.scope", "/a.slice/a-b.slice/docker-c1.scope"}));
  EXPECT_EQ(slice_path("-.slice"), "/");
  EXPECT_EQ(plan_scope("", "c1", "/run/user/1000/systemd/private"),
            (ScopeName{"user.slice", "proa-c1.scope", "/user.slice/proa-c1.scope"}));
  EXPECT_THROW(plan_scope("/plain", "x"), Error);
  EXPECT_THROW(plan_scope("a--b.slice:p:c", "x"), Error);
  EXPECT_THROW(plan_scope("a.slice:p:c/d", "x"), Error);
}

TEST(Arguments, ReadFlagsAsRuncDoes) {
  constexpr FlagSpec kFlags[] = {{"bundle", "b", true}, {"detach", "d", false}};
  std::vector<std::string> words = {"--bundle=/x", "-d", "id", "--not-ours"};
  Arguments parsed(kFlags, words);
  EXPECT_EQ(parsed.value("bundle"), "/x");
  EXPECT_TRUE(parsed.has("detach"));
  EXPECT_THAT(parsed.operands(), ElementsAre("id", "--not-ours"));
  std::vector<std::string> bad = {"-x"};
  EXPECT_THROW(Arguments(kFlags, bad), Error);
  std::vector<std::string> cut_off = {"-b"};
  EXPECT_THROW(Arguments(kFlags, cut_off), Error);
}

}  // namespace
}  // namespace proa::runtime
