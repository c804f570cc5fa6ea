#include "network/firewall.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "network/test_net.h"
#include "os/file.h"
#include "os/own_program.h"

namespace proa::network {
namespace {

FirewallInput example() {
  FirewallInput input;
  input.bridges = {
      {.device = "proa0", .subnet = "172.17.0.0/16"},
      {.device = "br-0123456789ab", .subnet = "172.18.0.0/16", .subnet6 = "fd00:1::/64", .inter_container = false},
      {.device = "br-inner", .subnet = "172.19.0.0/16", .internal = true}};
  input.ports = {{"172.17.0.2", {"0.0.0.0", 8080, 80, "tcp"}},
                 {"172.17.0.2", {"127.0.0.1", 5353, 53, "udp"}},
                 {"fd00:1::2", {"::", 8443, 443, "tcp"}}};
  input.drop_foreign_forwarding = true;
  return input;
}

// Compares with golden/NAME; PROA_ACCEPT_GOLDEN=1 in the environment writes it anew.
void expect_golden(const std::string& name, const std::string& text) {
  // A compiler cache may make __FILE__ relative to the build directory, where bin/ is.
  std::string source = __FILE__;
  if (!source.starts_with('/')) source = os::program_beside(cat("../", source));
  std::string path = cat(os::dir_name(source), "/golden/", name);
  if (std::getenv("PROA_ACCEPT_GOLDEN")) {
    os::make_dirs(os::dir_name(path), 0755);
    os::write_file(path, text);
  }
  EXPECT_EQ(text, os::try_read_file(path).value_or("(missing)")) << "run with PROA_ACCEPT_GOLDEN=1 to accept";
}

TEST(Firewall, IsRenderedAsReviewed) {
  expect_golden("firewall.nft", render_firewall(example()));
  expect_golden("firewall-empty.nft", render_firewall({}));
}

// proves: I10
TEST(Firewall, IsAFunctionOfTheStateNotOfItsOrder) {
  FirewallInput turned = example();
  std::reverse(turned.bridges.begin(), turned.bridges.end());
  std::reverse(turned.ports.begin(), turned.ports.end());
  EXPECT_EQ(render_firewall(turned), render_firewall(example()));
}

TEST(Firewall, IsTakenByNftTwiceAndChangedByElement) {
  NEEDS_ROOT();
  FirewallInput input = example();
  os::nft_apply(render_firewall(input));
  os::nft_apply(render_firewall(input));
  std::string before = os::nft_query({"list", "table", "ip", "proa"});
  EXPECT_NE(before.find("udp . 127.0.0.1 . 5353 : 172.17.0.2 . 53"), std::string::npos) << before;

  // Elements by netlink and by text are the same thing.
  std::vector<FirewallPort> more = {{"172.17.0.9", {"0.0.0.0", 9090, 90, "tcp"}},
                                    {"172.17.0.9", {"10.0.0.1", 9090, 90, "udp"}}};
  os::NetlinkSocket socket(12 /* NETLINK_NETFILTER */);
  nft_change(socket, os::Family::V4, "proa", os::NftChange::Add, port_elements(more, os::Family::V4));
  std::string changed = os::nft_query({"list", "table", "ip", "proa"});
  input.ports.insert(input.ports.end(), more.begin(), more.end());
  os::nft_apply(render_firewall(input));
  std::string rendered = os::nft_query({"list", "table", "ip", "proa"});
  auto sorted = [](const std::string& text) {
    std::vector<std::string> words = split(replace_all(replace_all(text, "\n", " "), ",", " "), ' ');
    std::sort(words.begin(), words.end());
    return join(words, " ");
  };
  EXPECT_EQ(sorted(changed), sorted(rendered));
  EXPECT_THROW(nft_change(socket, os::Family::V4, "proa", os::NftChange::Add, port_elements(more, os::Family::V4)),
               Error)
      << "it is there already";
  nft_change(socket, os::Family::V4, "proa", os::NftChange::Remove, port_elements(more, os::Family::V4));
  EXPECT_EQ(sorted(os::nft_query({"list", "table", "ip", "proa"})), sorted(before));
  EXPECT_THROW(nft_change(socket, os::Family::V4, "nosuch", os::NftChange::Add, port_elements(more, os::Family::V4)),
               Error);
  std::vector<FirewallPort> six = {{"fd00:1::3", {"fd00::1", 8443, 443, "tcp"}}};
  nft_change(socket, os::Family::V6, "proa", os::NftChange::Add, port_elements(six, os::Family::V6));
  EXPECT_NE(os::nft_query({"list", "table", "ip6", "proa"}).find("tcp . fd00::1 . 8443 : fd00:1::3 . 443"),
            std::string::npos);

  os::nft_apply(render_firewall_removal("proa"));
  EXPECT_EQ(os::nft_query({"list", "tables"}), "");
}

TEST(Firewall, TakesThousandsOfPortsInOneTransaction) {
  NEEDS_ROOT();
  os::nft_apply(render_firewall({}));
  std::vector<FirewallPort> ports;
  for (int i = 0; i < 12'000; ++i)
    ports.push_back({"172.17.0.2", {"0.0.0.0", static_cast<std::uint16_t>(20'000 + i), 80, "tcp"}});
  os::NetlinkSocket socket(12);
  nft_change(socket, os::Family::V4, "proa", os::NftChange::Add, port_elements(ports, os::Family::V4));
  std::string map = os::nft_query({"list", "map", "ip", "proa", "ports_any"});
  EXPECT_NE(map.find("tcp . 31999 :"), std::string::npos);
  nft_change(socket, os::Family::V4, "proa", os::NftChange::Remove, port_elements(ports, os::Family::V4));
  os::nft_apply(render_firewall_removal("proa"));
}

}  // namespace
}  // namespace proa::network
