#include "volume/mount_args.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace proa::volume {
namespace {

bool everything(const std::string&) { return true; }
bool nothing(const std::string&) { return false; }

std::string refusal(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

TEST(MountArgs, BindOfAHostPathMakesItsSource) {
  auto point = parse_bind("/a//b/:/c/:ro", "");
  EXPECT_EQ(point.type, Type::Bind);
  EXPECT_EQ(point.source, "/a/b");
  EXPECT_EQ(point.destination, "/c");
  EXPECT_FALSE(point.read_write);
  EXPECT_TRUE(point.create_source);
}

TEST(MountArgs, ANameIsAVolumeAndASinglePathAnAnonymousOne) {
  EXPECT_EQ(parse_bind("data:/var/lib", "").name, "data");
  EXPECT_EQ(refusal([] { parse_bind("/var/lib:ro", ""); }), "invalid volume specification: '/var/lib:ro'");
  auto anonymous = parse_bind("/var/lib", "");
  EXPECT_EQ(anonymous.type, Type::Volume);
  EXPECT_TRUE(anonymous.anonymous);
}

TEST(MountArgs, RefusesWhatDockerRefuses) {
  EXPECT_EQ(refusal([] { parse_bind("a:b:c:d", ""); }), "invalid volume specification: 'a:b:c:d'");
  EXPECT_EQ(refusal([] { parse_bind("/a:/b:wrong", ""); }), "invalid mode: wrong");
  EXPECT_NE(refusal([] { parse_bind("/a:b", ""); }), "accepted");
  EXPECT_NE(refusal([] { parse_bind("/a:/", ""); }), "accepted");
  EXPECT_NE(refusal([] { parse_bind("./a:/b", ""); }).find("includes invalid characters for a local volume name"),
            std::string::npos);
}

TEST(MountArgs, MountSourceMustExist) {
  MountRequest mount;
  mount.type = "bind";
  mount.source = "/x";
  mount.target = "/y";
  EXPECT_EQ(refusal([&] { check_mount(mount, nothing); }),
            "invalid mount config for type \"bind\": bind source path does not exist: /x");
  EXPECT_EQ(check_mount(mount, everything).destination, "/y");
}

TEST(MountArgs, DuplicatesAreRefusedAndDeclaredVolumesGiveWay) {
  MountArguments arguments;
  arguments.binds = {"/a:/x", "/b:/x/"};
  EXPECT_EQ(refusal([&] { plan_mount_points(arguments, everything); }), "Duplicate mount point: /x");
  arguments.binds = {"/a:/x/deep"};
  arguments.declared = {"/x/deep", "/x"};
  auto points = plan_mount_points(arguments, everything);
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0].destination, "/x");
  EXPECT_TRUE(points[0].anonymous);
  EXPECT_EQ(points[1].type, Type::Bind);
}

}  // namespace
}  // namespace proa::volume
