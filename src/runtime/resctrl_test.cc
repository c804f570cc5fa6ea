// No machine of the project's has the hardware: the kernel's files are those of a directory that the test makes, laid
// out as Documentation/filesystems/resctrl.rst says.
#include "runtime/resctrl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "os/file.h"

namespace proa::runtime {
namespace {

using ::testing::HasSubstr;

oci::IntelRdt wanted(std::string clos_id, std::string l3 = "", std::string mb = "",
                     std::vector<std::string> more = {}) {
  oci::IntelRdt out;
  out.clos_id = std::move(clos_id);
  out.l3_cache_schema = std::move(l3);
  out.mem_bw_schema = std::move(mb);
  out.schemata = std::move(more);
  return out;
}

TEST(Resctrl, IsFoundWhereItIsMounted) {
  EXPECT_EQ(find_resctrl("36 25 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                         "40 25 0:35 / /sys/fs/res\\040ctrl rw,relatime - resctrl resctrl rw,mba_MBps\n"),
            "/sys/fs/res ctrl");
  EXPECT_EQ(find_resctrl("36 25 0:30 / /sys/fs/resctrl rw - tmpfs resctrl rw\n"), std::nullopt);
}

TEST(Resctrl, SchemataAreWrittenInTheOrderOfTheSpecification) {
  EXPECT_EQ(render_schemata(wanted("c")), "");
  EXPECT_EQ(render_schemata(wanted("c", "L3:0=7f0;1=1f")), "L3:0=7f0;1=1f\n");
  EXPECT_EQ(render_schemata(wanted("c", "L3:0=7f0", "MB:0=20", {"L2:0=f", "L3:0=f"})),
            "L3:0=7f0\nMB:0=20\nL2:0=f\nL3:0=f\n");
  // "the non-MB: lines of l3CacheSchema and the line of memBwSchema"
  EXPECT_EQ(render_schemata(wanted("c", "MB:0=90\nL3:0=7f0", "MB:0=20")), "L3:0=7f0\nMB:0=20\n");
  EXPECT_EQ(render_schemata(wanted("c", "MB:0=90\nL3:0=7f0")), "MB:0=90\nL3:0=7f0\n");
}

TEST(Resctrl, SchemataAreComparedByWhatTheyMean) {
  constexpr std::string_view kFile = "    MB:0=100;1= 20\n    L3:0=0007f0;1=00001f\n";
  EXPECT_TRUE(schemata_agree(kFile, "L3:0=7f0;1=1F\nMB:1=20\n"));
  EXPECT_TRUE(schemata_agree(kFile, "L3:0=1\nL3:0=7f0\n"));  // of two lines the last counts
  EXPECT_FALSE(schemata_agree(kFile, "L3:0=7f1"));
  EXPECT_FALSE(schemata_agree(kFile, "L3:2=1"));
  EXPECT_FALSE(schemata_agree(kFile, "L2:0=1"));
  EXPECT_TRUE(schemata_agree("L3:0=0\n", "L3:0=000"));
}

TEST(Resctrl, NamesThatAreNoDirectoryOfAClassAreRefused) {
  for (const char* bad : {".", "..", "../cgroup", "a/b", "info", "mon_groups", "mon_data"}) {
    EXPECT_THROW(check_intel_rdt(wanted(bad)), Error) << bad;
  }
  EXPECT_THROW(check_intel_rdt(wanted("c", "", "L3:0=1")), Error);
  EXPECT_THROW(check_intel_rdt(wanted("c", "", "MB:0=1\nL3:0=1")), Error);
  EXPECT_THROW(check_intel_rdt(wanted("c", "", "", {"L3:0=1\nMB:0=1"})), Error);
  EXPECT_NO_THROW(check_intel_rdt(wanted("/", "L3:0=1", "MB:0=1", {"L2:0=1"})));
}

class ResctrlDirectory : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/proa-resctrl-XXXXXX";
    root_ = ::mkdtemp(name);
    os::make_dirs(root_ + "/info/L3_MON", 0755);
  }
  void TearDown() override { os::remove_tree(root_); }

  void make_class(const std::string& name, const std::string& schemata) {
    os::make_dirs(cat(root_, "/", name, "/mon_groups"), 0755);
    os::write_file(cat(root_, "/", name, "/schemata"), schemata);
  }
  std::string file(const std::string& path) { return os::try_read_file(cat(root_, "/", path)).value_or("(none)"); }

  std::string root_;
};

TEST_F(ResctrlDirectory, AContainerWithoutAClassGetsOneOfItsOwnThatGoesWithIt) {
  auto group = create_resctrl(root_, wanted("", "L3:0=f"), "box");
  EXPECT_TRUE(group.own);
  EXPECT_EQ(file("box/schemata"), "L3:0=f\n");
  join_resctrl(group, 4711);
  EXPECT_EQ(file("box/tasks"), "4711");
  // The kernel's files do not keep a directory.
  os::remove_file(root_ + "/box/schemata");
  os::remove_file(root_ + "/box/tasks");
  remove_resctrl(group);
  EXPECT_FALSE(os::exists(root_ + "/box"));
}

TEST_F(ResctrlDirectory, AClassThatIsNamedIsMadeOnceAndStays) {
  auto group = create_resctrl(root_, wanted("gold", "L3:0=ff", "MB:0=50"), "box");
  EXPECT_EQ(file("gold/schemata"), "L3:0=ff\nMB:0=50\n");
  remove_resctrl(group);
  EXPECT_TRUE(os::exists(root_ + "/gold"));
  os::write_file(root_ + "/gold/schemata", "L3:0=00ff;1=ffff\nMB:0= 50;1=100\n");
  EXPECT_NO_THROW(create_resctrl(root_, wanted("gold", "L3:0=ff", "MB:0=50"), "other"));
  EXPECT_EQ(file("gold/schemata"), "L3:0=00ff;1=ffff\nMB:0= 50;1=100\n");  // not written again
  try {
    create_resctrl(root_, wanted("gold", "L3:0=f"), "third");
    FAIL() << "a class was changed under others";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Conflict);
    EXPECT_THAT(error.message(), HasSubstr("gold"));
  }
}

TEST_F(ResctrlDirectory, AClassWithoutSchemataMustBeThere) {
  EXPECT_THROW(create_resctrl(root_, wanted("nosuch"), "box"), Error);
  EXPECT_FALSE(os::exists(root_ + "/nosuch"));
  make_class("silver", "L3:0=f\n");
  auto group = create_resctrl(root_, wanted("silver"), "box");
  join_resctrl(group, 1);
  EXPECT_EQ(file("silver/tasks"), "1");
  EXPECT_EQ(file("silver/schemata"), "L3:0=f\n");
  EXPECT_EQ(create_resctrl(root_, wanted("/"), "box").directory, root_);
}

TEST_F(ResctrlDirectory, MonitoringIsTheContainersOwn) {
  make_class("silver", "L3:0=f\n");
  auto asked = wanted("silver");
  asked.enable_monitoring = true;
  auto group = create_resctrl(root_, asked, "box");
  join_resctrl(group, 12);
  EXPECT_EQ(file("silver/tasks"), "12");
  EXPECT_EQ(file("silver/mon_groups/box/tasks"), "12");
  os::remove_file(root_ + "/silver/mon_groups/box/tasks");
  remove_resctrl(group);
  EXPECT_FALSE(os::exists(root_ + "/silver/mon_groups/box"));
  EXPECT_TRUE(os::exists(root_ + "/silver"));

  os::remove_tree(root_ + "/info/L3_MON");
  asked.clos_id = "";
  os::make_dirs(root_ + "/box/mon_groups", 0755);
  EXPECT_THROW(create_resctrl(root_, asked, "box"), Error);
}

TEST_F(ResctrlDirectory, NumbersAreThoseOfTheClassAndOfItsMonitoring) {
  auto write = [&](const std::string& path, const std::string& text) {
    os::make_dirs(os::dir_name(cat(root_, "/", path)), 0755);
    os::write_file(cat(root_, "/", path), text);
  };
  make_class("silver", "    L3:0=f;1=f\n    MB:0=50;1=100\n");
  write("schemata", "    L3:0=fffff;1=fffff\n    MB:0=100;1=100\n");
  write("info/L3/cbm_mask", "fffff\n");
  write("info/L3/min_cbm_bits", "1\n");
  write("info/L3/num_closids", "16\n");
  write("info/MB/bandwidth_gran", "10\n");
  write("info/MB/delay_linear", "1\n");
  write("info/MB/min_bandwidth", "10\n");
  write("info/MB/num_closids", "8\n");
  write("silver/mon_data/mon_L3_00/llc_occupancy", "1\n");  // of the whole class
  for (const char* domain : {"00", "01"}) {
    std::string data = cat("silver/mon_groups/box/mon_data/mon_L3_", domain, "/");
    write(data + "llc_occupancy", "4096\n");
    write(data + "mbm_total_bytes", "200\n");
    write(data + "mbm_local_bytes", "Unavailable\n");
  }
  EXPECT_EQ(json::text(resctrl_stats({root_ + "/silver", root_ + "/silver/mon_groups/box"})),
            R"({"l3_cache_info":{"min_cbm_bits":1,"num_closids":16,"cbm_mask":"fffff"},)"
            R"("l3_cache_schema_root":"L3:0=fffff;1=fffff","l3_cache_schema":"L3:0=f;1=f",)"
            R"("mem_bw_info":{"bandwidth_gran":10,"delay_linear":1,"min_bandwidth":10,"num_closids":8},)"
            R"("mem_bw_schema_root":"MB:0=100;1=100","mem_bw_schema":"MB:0=50;1=100",)"
            R"("mbm_stats":[{"mbm_total_bytes":200},{"mbm_total_bytes":200}],)"
            R"("cmt_stats":[{"llc_occupancy":4096},{"llc_occupancy":4096}]})");
  EXPECT_EQ(json::text(resctrl_stats({root_ + "/silver", ""}).at("cmt_stats")), R"([{"llc_occupancy":1}])");
  EXPECT_EQ(json::text(resctrl_stats({root_, ""}).at("l3_cache_schema")), R"("L3:0=fffff;1=fffff")");
}

TEST_F(ResctrlDirectory, AMachineThatOnlyMonitorsHasNumbersOfThatAlone) {
  make_class("box", "");
  EXPECT_EQ(json::text(resctrl_stats({root_ + "/box", ""})), "{}");
}

TEST_F(ResctrlDirectory, WhatTheKernelSaysOfSchemataIsPassedOn) {
  make_class("box", "");
  os::remove_file(root_ + "/box/schemata");
  os::make_dirs(root_ + "/box/schemata", 0755);  // what cannot be written
  os::write_file(root_ + "/info/last_cmd_status", "Mask out of range\n");
  try {
    create_resctrl(root_, wanted("", "L3:0=fffff"), "box");
    FAIL() << "it was written";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("Mask out of range"));
  }
}

TEST(ResctrlMissing, IsAClearError) {
  if (find_resctrl(os::read_file("/proc/self/mountinfo"))) GTEST_SKIP() << "this machine has resctrl";
  try {
    create_resctrl("", wanted("gold", "L3:0=f"), "box");
    FAIL() << "there is none";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Unavailable);
    EXPECT_THAT(error.message(), HasSubstr("resctrl is not mounted"));
  }
}

}  // namespace
}  // namespace proa::runtime
