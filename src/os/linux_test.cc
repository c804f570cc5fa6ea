// Small readers of what Linux says: mounts, cgroups, hosts, terminals.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/text.h"
#include "os/cgroup_dir.h"
#include "os/file.h"
#include "os/host_info.h"
#include "os/mount.h"
#include "os/process.h"
#include "os/tty.h"

namespace proa::os {
namespace {

TEST(Mountinfo, IsReadWithEscapesAndOptionalFields) {
  auto mounts = parse_mountinfo(
      "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n"
      "37 36 0:5 / /proc rw - proc proc rw\n"
      "broken\n");
  ASSERT_EQ(mounts.size(), 2U);
  EXPECT_EQ(mounts[0].id, 36);
  EXPECT_EQ(mounts[0].root, "/mnt1");
  EXPECT_EQ(mounts[0].target, "/mnt 2");
  EXPECT_EQ(mounts[0].optional_fields, (std::vector<std::string>{"master:1", "shared:2"}));
  EXPECT_EQ(mounts[0].super_options, "rw,errors=continue");
  EXPECT_EQ(mounts[1].type, "proc");
}

TEST(Mountinfo, KnowsTheMountThatAFileIsOn) {
  auto mounts = parse_mountinfo(read_file("/proc/self/mountinfo"));
  Fd inside = open_file("/proc/self/status", O_RDONLY);
  const auto* mount = find_mount(mounts, inside.get());
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->target, "/proc");
  EXPECT_EQ(find_mount({}, inside.get()), nullptr);
}

TEST(CgroupDir, ReadsTablesAndProcCgroup) {
  constexpr const char* kTable = "low 0\nhigh 3\noom 1\noom_kill 2\n";
  EXPECT_EQ(cgroup_table_value(kTable, "oom_kill"), 2U);
  EXPECT_EQ(cgroup_table_value(kTable, "oom"), 1U);
  EXPECT_EQ(cgroup_table_value(kTable, "oo"), std::nullopt);
  constexpr const char* kProc = "3:cpu,cpuacct:/a\n1:name=systemd:/b\n0::/c\n";
  EXPECT_EQ(parse_proc_cgroup(kProc, "cpuacct"), "/a");
  EXPECT_EQ(parse_proc_cgroup(kProc, "name=systemd"), "/b");
  EXPECT_EQ(parse_proc_cgroup(kProc, ""), "/c");
  EXPECT_EQ(parse_proc_cgroup(kProc, "memory"), std::nullopt);
}

TEST(CgroupDir, FindsTheDirectoryOfAController) {
  CgroupLayout one;
  one.root = "/cg";
  one.hierarchies = {{"cpu,cpuacct", {"cpu", "cpuacct"}}, {"memory", {"memory"}}};
  EXPECT_EQ(one.directory("cpuacct", "/x"), "/cg/cpu,cpuacct/x");
  EXPECT_EQ(one.directory("pids", "/x"), std::nullopt);
  CgroupLayout two;
  two.root = "/cg";
  two.unified = true;
  EXPECT_EQ(two.directory("pids", "/x"), "/cg/x");
}

TEST(HostInfo, ReadsReleaseFilesAndLists) {
  constexpr const char* kRelease =
      "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID='12'\nID=debian\n";
  EXPECT_EQ(os_release_value(kRelease, "PRETTY_NAME"), "Debian GNU/Linux 12 (bookworm)");
  EXPECT_EQ(os_release_value(kRelease, "VERSION_ID"), "12");
  EXPECT_EQ(os_release_value(kRelease, "ID"), "debian");
  EXPECT_EQ(os_release_value(kRelease, "NONE"), "");
  EXPECT_EQ(parse_cpu_list("0-2,7\n"), (std::vector<int>{0, 1, 2, 7}));
  EXPECT_TRUE(parse_cpu_list("2-1").empty());
  EXPECT_TRUE(parse_cpu_list("a").empty());
  EXPECT_EQ(go_architecture("x86_64"), "amd64");
  EXPECT_EQ(go_architecture("aarch64"), "arm64");
  EXPECT_TRUE(kernel_at_least(3, 0));
  EXPECT_FALSE(kernel_at_least(99, 0));
  EXPECT_GT(host_info().cpus, 0);
}

TEST(Tty, PairsHaveASizeAndRawModeEnds) {
  auto pair = open_tty_pair();
  set_tty_size(pair.master.get(), {30, 100});
  EXPECT_EQ(tty_size(pair.slave.get()), (TtySize{30, 100}));
  EXPECT_TRUE(is_tty(pair.slave.get()));
  termios before{}, during{}, after{};
  ::tcgetattr(pair.slave.get(), &before);
  {
    RawTty raw(pair.slave.get());
    ::tcgetattr(pair.slave.get(), &during);
  }
  ::tcgetattr(pair.slave.get(), &after);
  EXPECT_EQ(during.c_lflag & ICANON, 0U);
  EXPECT_EQ(before.c_lflag, after.c_lflag);
  EXPECT_THROW(open_tty_pair(open_file("/dev/null", O_RDWR)), Error);
}

TEST(Mount, ExecutesAProgramThatCannotBeWrittenThroughIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  std::string path = cat("/tmp/proa-os-test-", ::getpid());
  write_file(path, read_file("/bin/sleep"), 0755);
  Fd program = read_only_file(path);
  SpawnOptions options;
  options.path = fd_path(program.get());
  options.argv = {"sleep", "60"};
  auto child = spawn(options);
  std::string exe = cat("/proc/", child.pid, "/exe");
  struct statvfs where {};
  EXPECT_EQ(::statvfs(exe.c_str(), &where), 0);
  EXPECT_TRUE(where.f_flag & ST_RDONLY);
  Fd held = open_file(exe, O_RDONLY);
  try_signal_pidfd(child.pidfd.get(), 9);
  wait_exit(child.pidfd.get());
  EXPECT_LT(::open(fd_path(held.get()).c_str(), O_WRONLY), 0);
  EXPECT_EQ(errno, EROFS);
  remove_file(path);
}

}  // namespace
}  // namespace proa::os
