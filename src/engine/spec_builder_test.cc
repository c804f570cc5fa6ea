#include "engine/spec_builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace proa::engine {
namespace {

struct Fixture {
  Definition definition;
  HostFacts host;
  SpecInput input;
  Fixture() {
    definition.id = std::string(64, 'a');
    definition.path = "sh";
    definition.args = {"-c", "true"};
    definition.config.hostname = "box";
    host.masked_extra = {"/sys/devices/system/cpu/cpu0/thermal_throttle"};
    input.definition = &definition;
    input.host = &host;
    input.user.home = "/root";
  }
};

const oci::Mount* mount_at(const oci::Spec& spec, std::string_view path) {
  for (const auto& mount : spec.mounts) {
    if (mount.destination == path) return &mount;
  }
  return nullptr;
}
bool has(const std::vector<std::string>& list, std::string_view what) {
  return std::find(list.begin(), list.end(), what) != list.end();
}

TEST(SpecBuilder, DefaultsAreDockers) {
  Fixture f;
  auto spec = build_spec(f.input);
  EXPECT_EQ(spec.process.args, (std::vector<std::string>{"sh", "-c", "true"}));
  EXPECT_EQ(spec.process.cwd, "/");
  EXPECT_EQ(spec.process.env,
            (std::vector<std::string>{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                      "HOSTNAME=box", "HOME=/root"}));
  ASSERT_TRUE(spec.process.capabilities);
  EXPECT_EQ(spec.process.capabilities->bounding.size(), 14u);
  EXPECT_EQ(spec.process.capabilities->effective, spec.process.capabilities->bounding);
  EXPECT_TRUE(spec.process.capabilities->inheritable.empty());
  EXPECT_FALSE(spec.process.no_new_privileges);
  EXPECT_EQ(spec.linux.cgroups_path, "/proa/" + f.definition.id);
  EXPECT_TRUE(spec.linux.seccomp);
  EXPECT_EQ(spec.linux.masked_paths.size(), 13u);
  EXPECT_EQ(spec.linux.readonly_paths.size(), 5u);
  EXPECT_EQ(spec.linux.sysctl.at("net.ipv4.ip_unprivileged_port_start"), "0");
  for (auto path : {"/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"}) {
    EXPECT_TRUE(mount_at(spec, path)) << path;
  }
  EXPECT_TRUE(has(mount_at(spec, "/sys")->options, "ro"));
  EXPECT_TRUE(has(mount_at(spec, "/dev/shm")->options, "size=67108864"));
  EXPECT_FALSE(spec.linux.resources->devices.front().allow);
}

// proves: 2
TEST(SpecBuilder, AnotherUserKeepsOnlyTheBoundingSet) {
  Fixture f;
  f.input.user.uid = 1000;
  auto spec = build_spec(f.input);
  EXPECT_EQ(spec.process.capabilities->bounding.size(), 14u);
  EXPECT_TRUE(spec.process.capabilities->effective.empty());
  EXPECT_TRUE(spec.process.capabilities->permitted.empty());
}

TEST(SpecBuilder, PrivilegedIsUnconfined) {
  Fixture f;
  f.definition.host_config.privileged = true;
  auto spec = build_spec(f.input);
  EXPECT_FALSE(spec.linux.seccomp);
  EXPECT_TRUE(spec.linux.masked_paths.empty());
  EXPECT_TRUE(spec.linux.readonly_paths.empty());
  EXPECT_FALSE(has(mount_at(spec, "/sys")->options, "ro"));
  EXPECT_EQ(spec.process.capabilities->bounding.size(), 41u);
  EXPECT_TRUE(spec.linux.resources->devices.front().allow);
}

TEST(SpecBuilder, LimitsAreTranslated) {
  api::Resources given;
  given.memory = 100 << 20;
  given.nano_cpus = 1'500'000'000;
  given.pids_limit = 20;
  auto out = build_resources(given);
  EXPECT_EQ(out.memory->limit, 100 << 20);
  EXPECT_EQ(out.memory->swap, 200 << 20);
  EXPECT_EQ(out.cpu->period, 100'000u);
  EXPECT_EQ(out.cpu->quota, 150'000);
  EXPECT_EQ(out.pids->limit, 20);
  EXPECT_FALSE(build_resources({}).memory);
}

TEST(SpecBuilder, TheUsersMountsTakeThePlaceOfTheDefaults) {
  Fixture f;
  volume::MountPoint bind;
  bind.type = volume::Type::Bind;
  bind.source = "/tmp";
  bind.destination = "/dev/shm";
  bind.read_write = false;
  f.input.mounts = {bind};
  auto spec = build_spec(f.input);
  EXPECT_EQ(
      std::count_if(spec.mounts.begin(), spec.mounts.end(), [](const auto& m) { return m.destination == "/dev/shm"; }),
      1);
  EXPECT_EQ(mount_at(spec, "/dev/shm")->type, "bind");
  EXPECT_TRUE(has(mount_at(spec, "/dev/shm")->options, "rro"));
}

TEST(SpecBuilder, ASharedBindNeedsARootThatLeavesItShared) {
  Fixture f;
  volume::MountPoint bind;
  bind.type = volume::Type::Bind;
  bind.source = bind.destination = "/srv";
  for (const auto& [propagation, root] : std::map<std::string, std::string>{
           {"", ""}, {"rprivate", ""}, {"rslave", ""}, {"shared", "shared"}, {"rshared", "shared"}}) {
    bind.propagation = propagation;
    f.input.mounts = {bind};
    EXPECT_EQ(build_spec(f.input).linux.rootfs_propagation, root) << propagation;
  }
}

TEST(SpecBuilder, EnvironmentIsReplacedInPlaceAndANameAloneRemoves) {
  EXPECT_EQ(merge_environment({"A=1", "B=2"}, {"A=3", "C=4", "B"}), (std::vector<std::string>{"A=3", "C=4"}));
}

TEST(SpecBuilder, CgroupParentIsRespected) {
  EXPECT_EQ(cgroup_path("", "x"), "/proa/x");
  EXPECT_EQ(cgroup_path("a/b", "x"), "/a/b/x");
  EXPECT_EQ(cgroup_path("/a/", "x"), "/a/x");
}

TEST(SpecBuilder, SeccompHangsOnCapabilities) {
  Fixture f;
  auto allows = [](const oci::Spec& spec, std::string_view name) {
    return std::any_of(spec.linux.seccomp->syscalls.begin(), spec.linux.seccomp->syscalls.end(),
                       [&](const oci::SeccompRule& rule) {
                         return rule.action == "SCMP_ACT_ALLOW" && rule.args.empty() && has(rule.names, name);
                       });
  };
  auto plain = build_spec(f.input);
  EXPECT_FALSE(allows(plain, "mount"));
  EXPECT_TRUE(allows(plain, "chroot"));
  EXPECT_FALSE(allows(plain, "keyctl"));
  EXPECT_FALSE(allows(plain, "io_uring_setup"));
  f.definition.host_config.cap_add = {"SYS_ADMIN"};
  f.definition.host_config.cap_drop = {"SYS_CHROOT"};
  auto admin = build_spec(f.input);
  EXPECT_TRUE(allows(admin, "mount"));
  EXPECT_FALSE(allows(admin, "chroot"));
}

}  // namespace
}  // namespace proa::engine
