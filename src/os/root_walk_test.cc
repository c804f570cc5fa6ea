#include "os/root_walk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/text.h"
#include "os/fd.h"
#include "os/file.h"

namespace proa::os {
namespace {

class RootWalk : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/proa-walk-XXXXXX";
    top_ = ::mkdtemp(name);
    for (const char* dir : {"outside", "root", "root/a", "root/a/b", "root/etc", "root/proc"})
      make_dir(path(dir), 0755);
    for (const char* file : {"outside/secret", "root/file", "root/a/b/deep", "root/etc/passwd"})
      write_file(path(file), "x");
    link("/a/b", "absolute");
    link("a/b/deep", "relative");
    link("../../../outside/secret", "escape");
    link("/../../../outside", "escape_absolute");
    link("..", "a/up");
    link("loop", "loop");
    link("a/nothing", "dangling");
    link("absolute/../b/deep", "through");
    link("file/", "file_as_directory");
    link("/", "slash");
    root_ = open_file(path("root"), O_PATH | O_DIRECTORY);
  }
  void TearDown() override { remove_tree(top_); }

  std::string path(std::string_view name) const { return path_join(top_, name); }
  void link(const std::string& target, const std::string& name) const {
    check(::symlink(target.c_str(), path("root/" + name).c_str()), name);
  }

  // What was found: its number and kind of descriptor, or the error.
  static std::string outcome(int fd) {
    if (fd < 0) return cat("errno ", errno);
    Fd found(fd);
    struct stat info {};
    check(::fstat(fd, &info), "stat");
    return cat(info.st_dev, ":", info.st_ino, " flags ", ::fcntl(fd, F_GETFL) & (O_ACCMODE | O_PATH), " cloexec ",
               ::fcntl(fd, F_GETFD));
  }
  static std::string by_kernel(int root, const std::string& name, int flags) {
    open_how how{};
    how.flags = static_cast<__u64>(static_cast<unsigned>(flags | O_CLOEXEC));
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    return outcome(static_cast<int>(::syscall(SYS_openat2, root, name.c_str(), &how, sizeof how)));
  }

  std::string top_;
  Fd root_;
};

// proves: 79
TEST_F(RootWalk, FindsWhatTheKernelFinds) {
  for (const char* name : {"",
                           ".",
                           "/",
                           "..",
                           "../..",
                           "file",
                           "/file",
                           "file/",
                           "file/.",
                           "file/x",
                           "a",
                           "a/",
                           "a/b/deep",
                           "a/./b/../b/deep",
                           "/../outside/secret",
                           "../outside",
                           "absolute",
                           "absolute/",
                           "absolute/deep",
                           "relative",
                           "relative/x",
                           "escape",
                           "escape_absolute",
                           "escape_absolute/secret",
                           "a/up",
                           "a/up/up",
                           "a/up/file",
                           "a/b/../../../../../file",
                           "loop",
                           "loop/x",
                           "dangling",
                           "dangling/x",
                           "through",
                           "file_as_directory",
                           "slash",
                           "slash/slash/file",
                           "nothing",
                           "nothing/x",
                           "etc/passwd",
                           "//etc//passwd"}) {
    for (int flags : {O_PATH, O_PATH | O_NOFOLLOW, O_PATH | O_DIRECTORY, O_RDONLY, O_RDONLY | O_NOFOLLOW,
                      O_RDONLY | O_DIRECTORY, O_WRONLY, O_PATH | O_DIRECTORY | O_NOFOLLOW}) {
      EXPECT_EQ(outcome(walk_in_root(root_.get(), name, flags, 0)), by_kernel(root_.get(), name, flags))
          << "'" << name << "' flags " << flags;
    }
  }
}

// proves: 27
TEST_F(RootWalk, MakesFilesInsideOnly) {
  EXPECT_GE(Fd(walk_in_root(root_.get(), "/a/new", O_WRONLY | O_CREAT | O_EXCL, 0600)).get(), 0);
  EXPECT_TRUE(exists(path("root/a/new")));
  EXPECT_EQ(walk_in_root(root_.get(), "escape", O_WRONLY | O_CREAT | O_EXCL, 0600), -1);
  EXPECT_EQ(errno, EEXIST);
  EXPECT_GE(Fd(walk_in_root(root_.get(), "../../made", O_WRONLY | O_CREAT, 0600)).get(), 0);
  EXPECT_TRUE(exists(path("root/made")));
}

// proves: 31
TEST_F(RootWalk, FollowsNoMagicLink) {
  Fd slash = open_file("/", O_PATH | O_DIRECTORY);
  std::string own = cat("/proc/self/fd/", root_.get());
  for (const std::string& name : {own, own + "/file", std::string("/proc/self/exe"), std::string("/proc/self/cwd/x"),
                                  std::string("/proc/self/root")}) {
    EXPECT_EQ(outcome(walk_in_root(slash.get(), name, O_PATH, 0)), cat("errno ", ELOOP)) << name;
    EXPECT_EQ(by_kernel(slash.get(), name, O_PATH), cat("errno ", ELOOP)) << name;
  }
  for (const char* name : {"/proc/self/status", "/proc/mounts", "/proc/thread-self/attr"}) {
    EXPECT_GE(Fd(walk_in_root(slash.get(), name, O_PATH, 0)).get(), 0) << name;
  }
}

}  // namespace
}  // namespace proa::os
