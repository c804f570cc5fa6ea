#include "os/user_db.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace proa::os {
namespace {

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/ash\n"
    "1000:x:0:0::/:/bin/sh\n"
    "alice:x:1000:1000:Alice:/home/alice:/bin/sh\n"
    "broken line\n"
    "4294967296:x:0:0::/:/bin/sh\n"
    "bob:x:1001:50::/home/bob:/bin/sh\n";
constexpr const char* kGroup =
    "root:x:0:\n"
    "staff:x:50:alice,bob\n"
    "wheel:x:10:root,alice\n"
    "7:x:70:\n";

ResolvedUser resolve(std::string_view user, std::vector<std::string> extra = {}) {
  return resolve_user(user, extra, kPasswd, kGroup);
}
using Ids = std::vector<std::uint32_t>;

// proves: 1
TEST(UserDb, TakesDigitsAsANumberNeverAsAName) {
  EXPECT_EQ(resolve("1000").uid, 1000U);  // CVE-2016-3697: there is an entry *named* 1000 with uid 0
  EXPECT_EQ(resolve("1000").gid, 1000U);
  EXPECT_EQ(resolve("4242").uid, 4242U);
  EXPECT_EQ(resolve("4242").gid, 0U);
  EXPECT_EQ(resolve("1:7").gid, 7U);
}

// proves: 21
TEST(UserDb, RefusesNumbersThatAreNoIds) {
  for (const char* bad : {"4294967296", "2147483648:0", "99999999999999999999", "0:4294967296"}) {
    EXPECT_THROW(resolve(bad), Error) << bad;
  }
  for (const char* bad : {"+1", "-1", " 1", "0x1", "1:x", "nobody", "1:2:3"}) EXPECT_THROW(resolve(bad), Error) << bad;
}

TEST(UserDb, KnowsNamesGroupsAndHomes) {
  auto alice = resolve("alice");
  EXPECT_EQ(alice.uid, 1000U);
  EXPECT_EQ(alice.gid, 1000U);
  EXPECT_EQ(alice.groups, (Ids{10, 50}));
  EXPECT_EQ(alice.home, "/home/alice");
  EXPECT_EQ(resolve("bob").gid, 50U);
  EXPECT_EQ(resolve("bob").groups, Ids{});  // the primary group is not listed twice
  EXPECT_EQ(resolve("").uid, 0U);
  EXPECT_EQ(resolve("").home, "/root");
  EXPECT_EQ(resolve("4242").home, "/");
}

TEST(UserDb, TakesOnlyTheGroupThatIsNamed) {
  auto alice = resolve("alice:wheel");
  EXPECT_EQ(alice.gid, 10U);
  EXPECT_EQ(alice.groups, Ids{});
  EXPECT_EQ(resolve("alice:wheel", {"staff", "99"}).groups, (Ids{50, 99}));
  EXPECT_EQ(resolve(":5").gid, 5U);
}

TEST(UserDb, SaysWhoIsMissingInDockersWords) {
  try {
    resolve("nobody");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "unable to find user nobody: no matching entries in passwd file");
  }
  try {
    resolve("0:nogroup");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "unable to find group nogroup: no matching entries in group file");
  }
}

}  // namespace
}  // namespace proa::os
