// Real containers out of busybox: needs root and /bin/busybox.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "base/trace.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/process.h"
#include "os/syscalls.h"
#include "os/tty.h"
#include "runtime/verbs.h"

namespace proa::runtime {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class Container : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || !os::exists("/bin/busybox")) GTEST_SKIP() << "needs root and /bin/busybox";
    char name[] = "/tmp/proa-runtime-test-XXXXXX";
    dir_ = ::mkdtemp(name);
    root_ = dir_ + "/rootfs";
    for (const char* sub : {"", "/bin", "/etc", "/tmp", "/home"}) os::make_dirs(root_ + sub, 0755);
    std::string busybox = os::read_file("/bin/busybox");
    os::write_file(root_ + "/bin/busybox", busybox, 0755);
    for (const char* tool : {"sh", "cat", "id", "ls", "sleep", "true", "stat", "tty", "stty", "readlink", "touch"}) {
      ASSERT_EQ(::symlink("busybox", (root_ + "/bin/" + tool).c_str()), 0);
    }
    os::write_file(root_ + "/etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home:/bin/sh\n");
    id_ = cat("proa-test-", ::getpid());
  }
  void TearDown() override {
    if (!dir_.empty()) os::remove_tree(dir_);
  }
  static void TearDownTestSuite() {  // the group that our containers' groups were in
    for (const auto& hierarchy : os::list_dir("/sys/fs/cgroup")) {
      ::rmdir(cat("/sys/fs/cgroup/", hierarchy, "/proa-test").c_str());
    }
    ::rmdir("/sys/fs/cgroup/proa-test");
  }

  static oci::Mount mount(std::string destination, std::string type, std::string source,
                          std::vector<std::string> options = {}) {
    return {std::move(destination), std::move(type), std::move(source), std::move(options), {}, {}};
  }

  oci::Spec spec(const std::string& script) const {
    oci::Spec out;
    out.oci_version = "1.2.0";
    out.root.path = "rootfs";
    out.hostname = "box";
    out.process.args = {"/bin/sh", "-c", script};
    out.process.env = {"PATH=/bin"};
    out.process.cwd = "/";
    out.process.capabilities.emplace();
    out.mounts = {mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
                  mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
                  mount("/dev/pts", "devpts", "devpts", {"newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
                  mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
                  mount("/sys/fs/cgroup", "cgroup", "cgroup", {"ro", "nosuid", "noexec", "nodev"})};
    for (const char* type : {"pid", "network", "ipc", "uts", "mount"}) out.linux.namespaces.push_back({type, ""});
    out.linux.cgroups_path = "/proa-test/" + id_;
    return out;
  }

  CreateOptions options() const {
    CreateOptions out;
    out.id = id_;
    out.bundle = dir_;
    return out;
  }

  struct Result {
    int code = -1;
    std::string out;
    std::vector<std::string> warnings;
  };

  Result finish(pid_t, const os::Fd& pidfd, os::Fd& reader) {
    Result result;
    result.out = os::read_all(reader.get());
    result.code = os::wait_exit(pidfd.get())->code;
    return result;
  }

  Result run_in(const oci::Spec& wanted, CreateOptions with) {
    auto [reader, writer] = os::make_pipe();
    with.stdio.out = writer.get();
    with.stdio.err = writer.get();
    Created created = run(wanted, std::move(with));
    writer.reset();
    Result result = finish(created.pid, created.pidfd, reader);
    result.warnings = created.warnings;
    EXPECT_TRUE(destroy_cgroup(created.cgroup));
    return result;
  }
  Result run_in(const oci::Spec& wanted) { return run_in(wanted, options()); }

  std::string refusal(const oci::Spec& wanted) {
    try {
      Created created = run(wanted, options());
      os::wait_exit(created.pidfd.get());
      destroy_cgroup(created.cgroup);
    } catch (const Error& error) {
      EXPECT_FALSE(os::exists("/sys/fs/cgroup/memory/proa-test/" + id_)) << "a cgroup was left behind";
      return error.message();
    }
    return "(started)";
  }

  std::string dir_, root_, id_;
};

TEST_F(Container, RunsAProgramInItsOwnNamespacesAndGivesItsExitCode) {
  auto result = run_in(spec("echo pid $$; cat /proc/sys/kernel/hostname; ls /proc/self/fd; exit 7"));
  EXPECT_EQ(result.code, 7);
  EXPECT_EQ(result.out, "pid 1\nbox\n0\n1\n2\n3\n");
}

TEST_F(Container, SaysWhatIsWrongWithTheCommandInDockersWords) {
  auto wanted = spec("");
  auto with = [&](const std::string& name) {
    wanted.process.args = {name};
    return refusal(wanted);
  };
  os::write_file(root_ + "/plain", "x", 0644);
  os::write_file(root_ + "/garbage", "x", 0755);
  os::write_file(root_ + "/script", "#!/nowhere\n", 0755);
  EXPECT_EQ(with("foo"), "exec: \"foo\": executable file not found in $PATH");
  EXPECT_EQ(with("/x"), "exec: \"/x\": stat /x: no such file or directory");
  EXPECT_EQ(with("/etc"), "exec: \"/etc\": is a directory: permission denied");
  EXPECT_EQ(with("/plain"), "exec: \"/plain\": permission denied");
  EXPECT_EQ(with("/garbage"), "exec /garbage: exec format error");
  EXPECT_EQ(with("/script"), "exec /script: no such file or directory");
}

TEST_F(Container, HasExactlyTheCapabilitiesAndGroupsAskedFor) {
  auto wanted = spec(
      "grep() { while read -r l; do case \"$l\" in Cap*|Groups*|NoNew*|Uid*) echo \"$l\";; esac; done; }; "
      "grep < /proc/self/status; echo $HOME");
  wanted.process.user.uid = 1000;
  wanted.process.user.gid = 1000;
  wanted.process.user.additional_gids = {5};
  std::vector<std::string> two = {"CAP_CHOWN", "CAP_KILL"};
  wanted.process.capabilities = oci::Capabilities{two, {}, {}, {}, {}};
  auto out = run_in(wanted).out;
  EXPECT_THAT(out, HasSubstr("CapInh:\t0000000000000000"));
  EXPECT_THAT(out, HasSubstr("CapPrm:\t0000000000000000"));
  EXPECT_THAT(out, HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_THAT(out, HasSubstr("CapBnd:\t0000000000000021"));
  EXPECT_THAT(out, HasSubstr("CapAmb:\t0000000000000000"));
  EXPECT_THAT(out, HasSubstr("Groups:\t5 1000"));
  EXPECT_THAT(out, HasSubstr("Uid:\t1000\t1000\t1000\t1000"));
  EXPECT_THAT(out, HasSubstr("/home\n"));
}

TEST_F(Container, KeepsOnlyItsCapabilitiesWhenTheFilterIsLoadedWithoutNoNewPrivileges) {
  auto wanted = spec("cat /proc/self/status; mkdir /tmp/x");
  std::vector<std::string> one = {"CAP_KILL"};
  wanted.process.capabilities = oci::Capabilities{one, one, {}, one, {}};
  wanted.linux.seccomp.emplace();
  wanted.linux.seccomp->default_action = "SCMP_ACT_ALLOW";
  wanted.linux.seccomp->syscalls = {{{"mkdir", "mkdirat"}, "SCMP_ACT_ERRNO", 95, {}}};
  ASSERT_EQ(::symlink("busybox", (root_ + "/bin/mkdir").c_str()), 0);
  for (bool no_new_privileges : {false, true}) {
    wanted.process.no_new_privileges = no_new_privileges;
    auto out = run_in(wanted).out;
    EXPECT_THAT(out, HasSubstr("CapPrm:\t0000000000000020"));
    EXPECT_THAT(out, HasSubstr("CapEff:\t0000000000000020"));
    EXPECT_THAT(out, HasSubstr("Seccomp:\t2"));
    EXPECT_THAT(out, HasSubstr(cat("NoNewPrivs:\t", no_new_privileges ? 1 : 0)));
    EXPECT_THAT(out, HasSubstr("not supported"));
  }
}

TEST_F(Container, TakesADetachedMountAndAPreparedNetworkNamespace) {
  os::Fd tree = os::clone_mount(AT_FDCWD, root_, os::Recursive::No);
  os::Fd network;
  std::thread([&] {
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    network = os::open_file("/proc/thread-self/ns/net", O_RDONLY);
  }).join();
  struct stat info {};
  ASSERT_EQ(::fstat(network.get(), &info), 0);
  auto wanted = spec("readlink /proc/self/ns/net; ls /sys/class/net");
  wanted.root.path.clear();
  wanted.linux.namespaces[1].path = os::fd_path(network.get());
  auto with = options();
  with.rootfs = std::move(tree);
  auto result = run_in(wanted, std::move(with));
  EXPECT_EQ(result.out.substr(0, result.out.find('\n')), cat("net:[", info.st_ino, "]"));
  EXPECT_THAT(result.out, HasSubstr("lo"));
  EXPECT_THAT(result.out, Not(HasSubstr("eth0")));
  EXPECT_THAT(os::read_file("/proc/self/mountinfo"), Not(HasSubstr(root_)));
}

TEST_F(Container, MasksAndProtectsPathsAndFollowsNoLinkOutOfTheRoot) {
  os::make_dirs(dir_ + "/outside", 0755);
  os::write_file(dir_ + "/source", "from the host", 0644);
  ASSERT_EQ(::symlink((dir_ + "/outside").c_str(), (root_ + "/link").c_str()), 0);
  ASSERT_EQ(::symlink("../../../../etc/proa-test", (root_ + "/etc/hosts").c_str()), 0);
  auto wanted = spec(
      "cat /proc/keys | wc; ls /sys/firmware; echo x > /proc/sys/kernel/hostname; cat /etc/hosts; "
      "echo y > /etc/hosts; touch /root-is-ro; ls -d " +
      dir_ + "/outside");
  ASSERT_EQ(::symlink("busybox", (root_ + "/bin/wc").c_str()), 0);
  wanted.linux.masked_paths = {"/proc/keys", "/sys/firmware", "/does/not/exist"};
  wanted.linux.readonly_paths = {"/proc/sys"};
  wanted.root.readonly = true;
  wanted.mounts.push_back(mount("/link/made", "tmpfs", "tmpfs", {"size=64k"}));
  wanted.mounts.push_back(mount("/etc/hosts", "bind", dir_ + "/source", {"bind", "ro"}));
  auto out = run_in(wanted).out;
  EXPECT_THAT(out, HasSubstr("        0         0         0\n"));
  EXPECT_THAT(out, HasSubstr("can't create /proc/sys/kernel/hostname: Read-only file system"));
  EXPECT_THAT(out, HasSubstr("from the host"));
  EXPECT_THAT(out, HasSubstr("can't create /etc/hosts: Read-only file system"));
  EXPECT_THAT(out, HasSubstr("/root-is-ro: Read-only file system"));
  EXPECT_TRUE(os::list_dir(dir_ + "/outside").empty()) << "a mount destination was made outside of the root";
  EXPECT_FALSE(os::exists("/etc/proa-test"));
}

TEST_F(Container, RefusesALinkedProcAndMountsInsideIt) {
  ASSERT_EQ(::symlink("/tmp", (root_ + "/proc").c_str()), 0);
  EXPECT_THAT(refusal(spec("true")), HasSubstr("must be mounted on ordinary directory"));
  ASSERT_EQ(::unlink((root_ + "/proc").c_str()), 0);
  auto wanted = spec("true");
  wanted.mounts.push_back(mount("/proc/self/attr", "tmpfs", "tmpfs"));
  EXPECT_THAT(refusal(wanted), HasSubstr("is inside /proc"));
  wanted.mounts.back() = mount("/alias/attr", "tmpfs", "tmpfs");
  ASSERT_EQ(::symlink("/proc/self", (root_ + "/alias").c_str()), 0);
  EXPECT_THAT(refusal(wanted), HasSubstr("is inside /proc"));
}

TEST_F(Container, RefusesAWorkingDirectoryOutsideOfItsRoot) {
  os::Fd host = os::open_file("/", O_RDONLY | O_DIRECTORY);
  for (int fd = 3; fd < 24; ++fd) {
    auto wanted = spec("cat etc/passwd");
    wanted.process.cwd = cat("/proc/self/fd/", fd);
    auto [reader, writer] = os::make_pipe();
    auto with = options();
    with.stdio.out = writer.get();
    with.stdio.err = writer.get();
    try {
      Created created = run(wanted, std::move(with));
      writer.reset();
      EXPECT_THAT(finish(created.pid, created.pidfd, reader).out, Not(HasSubstr("/usr/sbin/nologin"))) << fd;
      destroy_cgroup(created.cgroup);
    } catch (const Error& error) {
      EXPECT_THAT(error.message(), ::testing::AnyOf(HasSubstr("chdir"), HasSubstr("outside of container")));
    }
  }
}

TEST_F(Container, WaitsAtTheGateAndIsSeenByOthersThere) {
  auto [reader, writer] = os::make_pipe();
  auto with = options();
  with.stdio.out = writer.get();
  Created created = create(spec("echo started; exit 3"), std::move(with));
  writer.reset();
  EXPECT_FALSE(os::wait_exit(created.pidfd.get(), 20).has_value());
  EXPECT_EQ(pids(created.cgroup), std::vector<pid_t>{created.pid});
  start(created);
  auto result = finish(created.pid, created.pidfd, reader);
  EXPECT_EQ(result.out, "started\n");
  EXPECT_EQ(result.code, 3);
  EXPECT_TRUE(destroy_cgroup(created.cgroup));
}

TEST_F(Container, IsStartedByAnotherProcessThroughASocket) {
  auto with = options();
  with.gate_path = dir_ + "/gate.sock";
  Created created = create(spec("exit 4"), std::move(with));
  start_remote(dir_ + "/gate.sock", std::nullopt);
  EXPECT_EQ(os::wait_exit(created.pidfd.get())->code, 4);
  EXPECT_TRUE(destroy_cgroup(created.cgroup));
}

TEST_F(Container, TakesFurtherProcesses) {
  auto wanted = spec("sleep 60");
  Created created = run(wanted, options());
  auto [reader, writer] = os::make_pipe();
  ExecOptions with;
  with.process = wanted.process;
  with.process.args = {"/bin/sh", "-c", "echo $$; id -u; cat /proc/sys/kernel/hostname; cat /proc/self/cgroup; exit 9"};
  with.process.user.uid = 1000;
  with.stdio = {-1, writer.get(), writer.get()};
  with.init_pid = created.pid;
  with.init_pidfd = created.pidfd.get();
  with.cgroup = &created.cgroup;
  with.spec = &wanted;
  auto since = monotonic_now();
  Executed executed = exec(std::move(with));
  std::printf("exec: %lld us\n", static_cast<long long>((monotonic_now() - since) / 1000));
  writer.reset();
  auto result = finish(executed.pid, executed.pidfd, reader);
  EXPECT_EQ(result.code, 9);
  EXPECT_THAT(result.out, HasSubstr("\n1000\nbox\n"));
  EXPECT_THAT(result.out, HasSubstr(":memory:/proa-test/" + id_));
  EXPECT_THAT(result.out, Not(HasSubstr(":pids:/\n")));

  ExecOptions bad;
  bad.process = wanted.process;
  bad.process.args = {"nosuch"};
  bad.init_pid = created.pid;
  bad.cgroup = &created.cgroup;
  bad.spec = &wanted;
  try {
    exec(std::move(bad));
    ADD_FAILURE() << "executed";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "exec: \"nosuch\": executable file not found in $PATH");
  }
  freeze(created.cgroup);
  EXPECT_TRUE(is_frozen(created.cgroup));
  kill_all(created.cgroup, SIGKILL);
  EXPECT_EQ(os::wait_exit(created.pidfd.get(), 5000)->signal, SIGKILL);
  EXPECT_TRUE(destroy_cgroup(created.cgroup));
}

TEST_F(Container, GetsATerminalOfItsOwn) {
  auto wanted = spec("tty; stat -c %t:%T /dev/console; read line; echo got $line");
  wanted.process.terminal = true;
  wanted.process.console_size = oci::ConsoleSize{33, 99};
  Created created = run(wanted, options());
  ASSERT_TRUE(created.console);
  EXPECT_EQ(os::tty_size(created.console.get()), (os::TtySize{33, 99}));
  os::write_all(created.console.get(), "hello\n");
  std::string out;
  char buffer[4096];
  for (;;) {
    auto count = ::read(created.console.get(), buffer, sizeof buffer);
    if (count <= 0) break;
    out.append(buffer, static_cast<std::size_t>(count));
  }
  EXPECT_THAT(out, HasSubstr("/dev/pts/0\r\n"));
  EXPECT_THAT(out, HasSubstr("88:0\r\n"));
  EXPECT_THAT(out, HasSubstr("got hello\r\n"));
  os::wait_exit(created.pidfd.get());
  destroy_cgroup(created.cgroup);
}

TEST_F(Container, KeepsToItsLimits) {
  auto wanted = spec(
      "ulimit -n; busybox mknod /tmp/kmem c 1 2; busybox cat /tmp/kmem; cat /proc/self/oom_score_adj; "
      "busybox dd if=/dev/zero of=/dev/null bs=100M count=1");
  wanted.process.rlimits = {{"RLIMIT_NOFILE", 77, 77}, {"RLIMIT_CORE", ~std::uint64_t{0}, ~std::uint64_t{0}}};
  wanted.process.oom_score_adj = 200;
  std::vector<std::string> one = {"CAP_MKNOD"};
  wanted.process.capabilities = oci::Capabilities{one, one, {}, one, {}};
  wanted.linux.resources.emplace();
  wanted.linux.resources->memory.emplace();
  wanted.linux.resources->memory->limit = 20 << 20;
  wanted.linux.resources->memory->swap = 20 << 20;
  wanted.linux.resources->pids = oci::PidsLimits{20};
  auto [reader, writer] = os::make_pipe();
  auto with = options();
  with.stdio = {-1, writer.get(), writer.get()};
  Created created = run(wanted, std::move(with));
  writer.reset();
  std::string out = os::read_all(reader.get());
  EXPECT_EQ(os::wait_exit(created.pidfd.get())->code, 137);
  EXPECT_THAT(out, HasSubstr("77\n"));
  EXPECT_THAT(out, HasSubstr("/tmp/kmem': Operation not permitted"));
  EXPECT_THAT(out, HasSubstr("\n200\n"));
  EXPECT_EQ(oom_kills(created.cgroup), 1U);
  auto used = stats(created.cgroup);
  EXPECT_EQ(used.memory_limit, 20U << 20);
  EXPECT_GT(used.memory_max_usage, 10U << 20);
  EXPECT_EQ(used.pids_limit, 20U);
  EXPECT_GT(used.cpu_total, 0U);
  EXPECT_TRUE(destroy_cgroup(created.cgroup));
}

// The controllers may all belong to version 1 here; groups, freezing and killing are version 2's all the same.
TEST_F(Container, LivesInAVersionTwoGroup) {
  std::string unified = "/sys/fs/cgroup/unified";
  if (os::find_cgroups().unified) unified = "/sys/fs/cgroup";
  if (!os::find_cgroups(unified).unified) GTEST_SKIP() << "no cgroup2 is mounted";
  auto wanted = spec("cat /proc/self/cgroup; sleep 60 & sleep 60");
  wanted.mounts.pop_back();
  wanted.linux.resources.emplace();
  wanted.linux.resources->pids = oci::PidsLimits{20};
  auto [reader, writer] = os::make_pipe();
  auto with = options();
  with.cgroup_root = unified;
  with.stdio = {-1, writer.get(), writer.get()};
  Created created;
  try {
    created = run(wanted, std::move(with));
  } catch (const Error& error) {
    if (error.message().starts_with("attach the device filter")) GTEST_SKIP() << "no BPF for cgroups: " << error.what();
    throw;
  }
  writer.reset();
  std::string out;
  for (char byte = 0; out.find("0::") == std::string::npos || byte != '\n'; out += byte) {
    ASSERT_EQ(::read(reader.get(), &byte, 1), 1);
  }
  EXPECT_THAT(out, HasSubstr("0::/proa-test/" + id_ + "\n"));
  EXPECT_THAT(pids(created.cgroup), Contains(created.pid));
  freeze(created.cgroup);
  EXPECT_TRUE(is_frozen(created.cgroup));
  kill_all(created.cgroup, SIGKILL);
  EXPECT_EQ(os::wait_exit(created.pidfd.get(), 5000)->signal, SIGKILL);
  EXPECT_TRUE(destroy_cgroup(created.cgroup));
}

TEST_F(Container, DiesWithTheProcessThatStartedIt) {
  auto [reader, writer] = os::make_pipe();
  pid_t starter = ::fork();
  if (starter == 0) {
    auto wanted = spec("sleep 60");
    wanted.process.user.uid = 1000;
    auto with = options();
    with.die_with_parent = true;
    try {
      Created created = run(wanted, std::move(with));
      os::write_all(writer.get(), cat(created.pid));
    } catch (const Error& error) {
      os::write_all(writer.get(), error.message());
    }
    ::_exit(0);
  }
  writer.reset();
  auto pid = parse_int<int>(os::read_all(reader.get()));
  ASSERT_TRUE(pid);
  auto pidfd = os::try_open_pidfd(*pid);
  ::waitpid(starter, nullptr, 0);
  auto deadline = monotonic_now() + 3 * kSecond;
  bool gone = !pidfd;
  while (!gone && monotonic_now() < deadline) {
    auto text = os::try_read_file(cat("/proc/", *pid, "/stat"), 4096);
    gone = !text || text->find(") Z") != std::string::npos;
    ::usleep(2000);
  }
  EXPECT_TRUE(gone);
  EXPECT_TRUE(destroy_cgroup({os::find_cgroups(), "/proa-test/" + id_}));
}

TEST_F(Container, RunsInAUserNamespace) {
  auto wanted = spec("id -u; cat /proc/self/uid_map; ls -l /dev/null; touch /tmp/mine");
  wanted.linux.namespaces.push_back({"user", ""});
  wanted.linux.uid_mappings = {{0, 100000, 65536}};
  wanted.linux.gid_mappings = {{0, 100000, 65536}};
  ASSERT_EQ(::chown((root_ + "/tmp").c_str(), 100000, 100000), 0);
  ASSERT_EQ(::chmod(dir_.c_str(), 0755), 0);
  for (const char* sub : {"/proc", "/dev", "/sys"}) {
    os::make_dirs(root_ + sub, 0755);
    ASSERT_EQ(::chown((root_ + sub).c_str(), 100000, 100000), 0);
  }
  auto result = run_in(wanted);
  EXPECT_EQ(result.code, 0) << result.out;
  EXPECT_THAT(result.out, HasSubstr("0\n         0     100000      65536\n"));
  struct stat info {};
  ASSERT_EQ(::stat((root_ + "/tmp/mine").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 100000U);
}

TEST_F(Container, RunsItsHooksInOrder) {
  auto wanted = spec("echo program >> /log");
  wanted.hooks.emplace();
  auto hook = [&](const std::string& word) {
    return oci::Hook{"/bin/busybox", {"sh", "-c", "cat > /dev/null; echo " + word + " >> " + root_ + "/log"}, {}, 5};
  };
  wanted.hooks->prestart = {hook("prestart")};
  wanted.hooks->create_runtime = {hook("createRuntime")};
  EXPECT_EQ(run_in(wanted).code, 0);
  EXPECT_EQ(os::read_file(root_ + "/log"), "prestart\ncreateRuntime\nprogram\n");
  wanted.hooks->prestart = {oci::Hook{"/bin/false", {}, {}, 5}};
  EXPECT_THAT(refusal(wanted), HasSubstr("error running hook /bin/false: exit status 1"));
}

TEST_F(Container, TellsWhatItDid) {
  trace::Recorder recorder("test");
  {
    trace::Scope scope(recorder);
    run_in(spec("true"));
  }
  std::vector<std::string> names;
  for (const auto& event : recorder.events()) names.push_back(event.process + ":" + event.name);
  for (const char* name : {"test:runtime.cgroup", "test:runtime.clone", "init:runtime.mount", "init:runtime.devices",
                           "init:runtime.pivot", "init:runtime.capabilities", "test:runtime.exec"}) {
    EXPECT_THAT(names, ::testing::Contains(std::string(name)));
  }
}

}  // namespace
}  // namespace proa::runtime
