// A volume gets what the image has for it whole or not at all; the deaths between are in tests/e2e/test_deaths.py.
#include "volume/populate.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/text.h"
#include "os/file.h"

namespace proa::volume {
namespace {

class Populate : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/proa-populate-test-XXXXXX";
    root_ = ::mkdtemp(path);
    volume_ = cat(root_, "/volume");
    os::make_dirs(cat(volume_, "/_data"), 0755);
    os::make_dirs(cat(root_, "/image/d"), 0750);
    os::write_file(cat(root_, "/image/a"), "1");
    os::write_file(cat(root_, "/image/d/b"), "2");
    ::chmod(cat(root_, "/image").c_str(), 01777);
  }
  void TearDown() override { os::remove_tree(root_); }

  void populate_it() { populate(volume_, os::open_file(cat(root_, "/image"), O_RDONLY | O_DIRECTORY).get()); }
  std::string read(const std::string& name) { return os::read_file(cat(volume_, "/_data/", name)); }
  struct stat data() {
    struct stat info {};
    EXPECT_EQ(::stat(cat(volume_, "/_data").c_str(), &info), 0);
    return info;
  }
  using Names = std::vector<std::string>;
  std::string root_, volume_;
};

TEST_F(Populate, FillsAnEmptyVolumeInPlace) {
  auto inode = data().st_ino;
  populate_it();
  EXPECT_EQ(read("a") + read("d/b"), "12");
  EXPECT_EQ(data().st_ino, inode);
  EXPECT_EQ(data().st_mode & 07777, 01777u);
  EXPECT_EQ(os::list_dir(volume_), (Names{"_data"}));
}

TEST_F(Populate, LeavesAVolumeWithContentAlone) {
  os::write_file(cat(volume_, "/_data/own"), "3");
  populate_it();
  EXPECT_EQ(os::list_dir(cat(volume_, "/_data")), (Names{"own"}));
  EXPECT_EQ(data().st_mode & 07777, 0755u);
}

TEST_F(Populate, TakesOverTheAttributesOfAnEmptyDirectory) {
  os::remove_tree(cat(root_, "/image/a"));
  os::remove_tree(cat(root_, "/image/d"));
  populate_it();
  EXPECT_EQ(data().st_mode & 07777, 01777u);
}

TEST_F(Populate, BeginsAgainAfterACopyThatWasCut) {
  os::make_dirs(cat(volume_, "/copying/d"), 0700);
  os::write_file(cat(volume_, "/copying/half"), "");
  finish_populating(volume_);
  EXPECT_EQ(os::list_dir(volume_), (Names{"_data"}));
  EXPECT_TRUE(os::list_dir(cat(volume_, "/_data")).empty());
  populate_it();
  EXPECT_EQ(os::list_dir(cat(volume_, "/_data")), (Names{"a", "d"}));
}

TEST_F(Populate, GoesOnWithACompleteCopyAndKeepsWhatCameMeanwhile) {
  os::make_dirs(cat(volume_, "/copied/d"), 0755);
  os::write_file(cat(volume_, "/copied/a"), "1");
  os::write_file(cat(volume_, "/copied/b"), "2");
  os::write_file(cat(volume_, "/_data/b"), "a container's");
  ::chmod(cat(volume_, "/copied").c_str(), 01777);
  populate_it();
  EXPECT_EQ(os::list_dir(volume_), (Names{"_data"}));
  EXPECT_EQ(os::list_dir(cat(volume_, "/_data")), (Names{"a", "b", "d"}));
  EXPECT_EQ(read("b"), "a container's");
  EXPECT_EQ(data().st_mode & 07777, 01777u);
}

}  // namespace
}  // namespace proa::volume
