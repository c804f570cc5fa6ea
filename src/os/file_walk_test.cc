#include "os/file_walk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>

#include "base/text.h"
#include "os/file.h"

namespace proa::os {
namespace {

// What du(1) says, in bytes.
std::uint64_t du(const std::string& path) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(cat("du -s -B1 ", path).c_str(), "r"), ::pclose);
  unsigned long long bytes = 0;
  EXPECT_EQ(std::fscanf(pipe.get(), "%llu", &bytes), 1);
  return bytes;
}

TEST(FileWalk, CountsAsDockerAndAsDuDo) {
  char name[] = "/tmp/proa-file-walk-XXXXXX";
  std::string top = ::mkdtemp(name);
  make_dirs(cat(top, "/a/b"), 0755);
  write_file(cat(top, "/a/large"), std::string(100'001, 'x'));
  write_file(cat(top, "/a/b/small"), "123");
  ASSERT_EQ(::link(cat(top, "/a/large").c_str(), cat(top, "/a/b/again").c_str()), 0);
  ASSERT_EQ(::symlink("/etc", cat(top, "/out").c_str()), 0);
  write_file(cat(top, "/sparse"), "");
  ASSERT_EQ(::truncate(cat(top, "/sparse").c_str(), 10'000'000), 0);

  std::set<std::string> seen;
  walk_files(top, [&](const std::string& path, const struct stat&) { seen.insert(path); });
  EXPECT_EQ(seen, (std::set<std::string>{"", "a", "a/b", "a/large", "a/b/small", "a/b/again", "out", "sparse"}));
  EXPECT_EQ(disk_usage(top), 100'001u + 3 + 4 + 10'000'000);  // a link's size is its target's length
  EXPECT_EQ(disk_blocks(top), du(top));
  EXPECT_EQ(disk_blocks(cat(top, "/a/large")), du(cat(top, "/a/large")));
  EXPECT_EQ(disk_blocks(cat(top, "/missing")), 0u);
  remove_tree(top);
}

}  // namespace
}  // namespace proa::os
