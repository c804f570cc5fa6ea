#include "network/ipam.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace proa::network {
namespace {

os::IpPrefix prefix(std::string_view text) { return *os::IpPrefix::parse(text); }
os::IpAddress ip(std::string_view text) { return *os::IpAddress::parse(text); }

std::string fault_of(std::vector<IpamPool> pools, bool ipv6 = false) {
  try {
    check_ipam({.name = "n", .enable_ipv6 = ipv6, .ipam = std::move(pools)});
    return "";
  } catch (const Error& error) {
    return error.message();
  }
}

TEST(Ipam, ChoosesDockersPoolsInOrder) {
  auto pools = default_pools();
  std::vector<os::IpPrefix> taken;
  EXPECT_EQ(choose_subnet(pools, taken).text(), "172.17.0.0/16");
  for (int i = 0; i < 15; ++i) taken.push_back(choose_subnet(pools, taken));
  EXPECT_EQ(taken.back().text(), "172.31.0.0/16");
  EXPECT_EQ(choose_subnet(pools, taken).text(), "192.168.0.0/20");
  for (int i = 0; i < 16; ++i) taken.push_back(choose_subnet(pools, taken));
  EXPECT_EQ(taken.back().text(), "192.168.240.0/20");
  EXPECT_THROW(choose_subnet(pools, taken), Error);
}

TEST(Ipam, SkipsSubnetsTheHostHas) {
  std::vector<os::IpPrefix> taken{prefix("172.17.5.0/24"), prefix("172.16.0.0/14"), prefix("172.20.1.1/32")};
  EXPECT_EQ(choose_subnet(default_pools(), taken).text(), "172.21.0.0/16");
  taken.push_back(prefix("172.16.0.0/12"));
  EXPECT_EQ(choose_subnet(default_pools(), taken).text(), "192.168.0.0/20");
}

TEST(Ipam, GivesTheGatewayFirstAndThenTheRest) {
  AddressPool pool({.subnet = "10.0.0.0/29"});
  EXPECT_EQ(pool.gateway().text(), "10.0.0.1");
  for (const char* expected : {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"})
    EXPECT_EQ(pool.take()->text(), expected);
  EXPECT_FALSE(pool.take()) << "network, gateway and broadcast addresses stay";
  pool.give_back(ip("10.0.0.4"));
  EXPECT_EQ(pool.take()->text(), "10.0.0.4");
}

TEST(Ipam, GivesTheLowestFreeAddress) {
  AddressPool pool({.subnet = "10.0.0.0/24"});
  auto first = pool.take(), second = pool.take();
  EXPECT_EQ(first->text(), "10.0.0.2");
  EXPECT_EQ(second->text(), "10.0.0.3");
  pool.give_back(*first);
  EXPECT_EQ(pool.take(), first);
  // And never runs dry of them: invariant I12.
  for (int i = 0; i < 5000; ++i) {
    auto address = pool.take();
    ASSERT_TRUE(address);
    pool.give_back(*address);
  }
  EXPECT_EQ(pool.in_use(), 2u);
}

TEST(Ipam, KeepsToTheRangeAndLeavesAuxiliaryAddresses) {
  AddressPool pool({.subnet = "10.1.0.0/16",
                    .ip_range = "10.1.5.0/30",
                    .gateway = "10.1.0.9",
                    .aux_addresses = {{"router", "10.1.5.1"}}});
  EXPECT_EQ(pool.gateway().text(), "10.1.0.9");
  EXPECT_EQ(pool.take()->text(), "10.1.5.0");
  EXPECT_EQ(pool.take()->text(), "10.1.5.2");
  EXPECT_EQ(pool.take()->text(), "10.1.5.3");
  EXPECT_FALSE(pool.take());
  EXPECT_TRUE(pool.take(ip("10.1.77.7"))) << "a static address may lie outside the range";
  EXPECT_FALSE(pool.take(ip("10.1.77.7")));
  EXPECT_FALSE(pool.take(ip("10.1.5.1")));
  EXPECT_FALSE(pool.take(ip("10.1.0.9")));
  EXPECT_FALSE(pool.take(ip("10.2.0.1")));
}

// What docker's integration tests expect of the same network: in use are network, gateway, both auxiliary addresses,
// broadcast and container; the range has room for what it holds less the container and the auxiliary address in it.
TEST(Ipam, CountsAsDockerDoes) {
  AddressPool pool({.subnet = "192.168.0.0/24",
                    .ip_range = "192.168.0.0/30",
                    .gateway = "192.168.0.253",
                    .aux_addresses = {{"inrange", "192.168.0.3"}, {"outside", "192.168.0.128"}}});
  pool.take();
  EXPECT_EQ(pool.status().in_use, 6u);
  EXPECT_EQ(pool.status().available, 1u) << "network address, container and auxiliary address lie in the range of 4";
  AddressPool whole({.subnet = "172.20.0.0/16"});
  whole.take();
  whole.take();
  EXPECT_EQ(whole.status().in_use, 5u);
  EXPECT_EQ(whole.status().available, 65531u);
}

TEST(Ipam, CountsSubnetsTooLargeToCount) {
  AddressPool large({.subnet = "fd00::/48"}), just({.subnet = "fd00::/64"}), none({.subnet = "fd00::/127"});
  EXPECT_EQ(large.status().available, UINT64_MAX);
  EXPECT_EQ(just.status().available, UINT64_MAX - 1) << "2^64 less the anycast address and the gateway";
  EXPECT_EQ(none.status().in_use, 1u);
  EXPECT_EQ(none.status().available, 1u);
}

TEST(Ipam, HandlesIpv6) {
  AddressPool pool({.subnet = "fd00:1::/64"});
  EXPECT_EQ(pool.gateway().text(), "fd00:1::1");
  EXPECT_EQ(pool.take()->text(), "fd00:1::2");
  EXPECT_EQ(choose_ipv6_subnet("0123456789abcdef0123").text(), "fd01:2345:6789:abcd::/64");
}

TEST(Ipam, RefusesWithDockersTexts) {
  EXPECT_EQ(fault_of({{.subnet = "10.0.0.0/24", .gateway = "10.0.0.254"}}), "");
  EXPECT_EQ(fault_of({{.subnet = "10.0.0.0/33"}}),
            "invalid network config:\ninvalid subnet 10.0.0.0/33: invalid CIDR block notation");
  EXPECT_EQ(fault_of({{.subnet = "10.1.2.3/16"}}),
            "invalid network config:\ninvalid subnet 10.1.2.3/16: it should be 10.1.0.0/16");
  EXPECT_EQ(
      fault_of({{.subnet = "10.0.0.0/24", .gateway = "10.0.1.1"}}),
      "invalid network config:\ninvalid gateway 10.0.1.1: parent subnet 10.0.0.0/24 doesn't contain this address");
  EXPECT_EQ(
      fault_of({{.subnet = "10.0.0.0/24", .ip_range = "10.0.0.0/16"}}),
      "invalid network config:\ninvalid ip-range 10.0.0.0/16: CIDR block is bigger than its parent subnet 10.0.0.0/24");
  EXPECT_EQ(fault_of({{.subnet = "10.0.0.0/24"}, {.subnet = "10.0.0.0/25"}}),
            "invalid pool request: Pool overlaps with other one on this address space");
}

TEST(Ipam, MakesDockersMacAddresses) { EXPECT_EQ(os::to_text(mac_for(ip("172.17.0.2"))), "02:42:ac:11:00:02"); }

TEST(IpAddress, IsParsedStrictly) {
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", "::1%eth0", "[::1]", "a"})
    EXPECT_FALSE(os::IpAddress::parse(bad)) << bad;
  for (const char* bad : {"", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "::/129"})
    EXPECT_FALSE(os::IpPrefix::parse(bad)) << bad;
  EXPECT_EQ(prefix("10.1.2.3/8").masked().text(), "10.0.0.0/8");
  EXPECT_EQ(prefix("10.1.2.3/9").last().text(), "10.127.255.255");
  EXPECT_TRUE(prefix("0.0.0.0/0").contains(ip("255.1.2.3")));
  EXPECT_FALSE(prefix("0.0.0.0/0").contains(ip("::1")));
  EXPECT_EQ(ip("10.0.0.255").plus(1).text(), "10.0.1.0");
  EXPECT_FALSE(os::parse_mac("02:42:ac:11:00"));
  EXPECT_EQ(os::to_text(*os::parse_mac("02-42-AC-11-00-0f")), "02:42:ac:11:00:0f");
}

}  // namespace
}  // namespace proa::network
