#include "engine/directory_reserve.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/id.h"
#include "base/text.h"
#include "engine/log_reader.h"
#include "os/file.h"

namespace proa::engine {
namespace {

using Names = std::vector<std::string>;

class DirectoryReserveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = cat("/tmp/directory-reserve-test-", random_u64());
    for (const char* name : {"", "/tmp", "/containers"}) os::make_dir(root_ + name, 0700);
  }
  void TearDown() override { os::remove_tree(root_); }

  Names staged() const { return os::list_dir(root_ + "/tmp"); }
  Names placed() const { return os::list_dir(root_ + "/containers"); }
  DirectoryReserve make() const { return {root_ + "/tmp", root_ + "/containers"}; }

  std::string root_;
};

TEST_F(DirectoryReserveTest, OneIsKeptReadyUnderTheIdItGives) {
  auto reserve = make();
  reserve.refill();
  reserve.refill();
  ASSERT_EQ(staged().size(), 1u);
  auto waiting = staged().front();
  EXPECT_EQ(reserve.take_id(), waiting);
  EXPECT_NE(reserve.take_id(), waiting);
  reserve.place(waiting);
  EXPECT_TRUE(staged().empty());
  EXPECT_EQ(placed(), Names{waiting});
  Names names = {log_file_name(waiting), "hostname", "hosts", "lowers.json", "resolv.conf", "upper", "work"};
  std::sort(names.begin(), names.end());
  EXPECT_EQ(os::list_dir(cat(root_, "/containers/", waiting)), names);
}

TEST_F(DirectoryReserveTest, WithoutOneReadyAnEmptyDirectoryIsMade) {
  auto reserve = make();
  auto id = reserve.take_id();
  reserve.place(id);
  EXPECT_EQ(placed(), Names{id});
  EXPECT_TRUE(os::list_dir(cat(root_, "/containers/", id)).empty());
}

TEST_F(DirectoryReserveTest, WhatIsNotUsedAndWhatAnEarlierDaemonLeftGoes) {
  auto reserve = make();
  reserve.refill();
  reserve.discard(reserve.take_id());
  EXPECT_TRUE(staged().empty());
  reserve.refill();
  ASSERT_EQ(staged().size(), 1u);
  auto next = make();
  EXPECT_TRUE(staged().empty());
}

}  // namespace
}  // namespace proa::engine
