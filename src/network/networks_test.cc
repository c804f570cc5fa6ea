#include "network/networks.h"

#include <sched.h>
#include <stdlib.h>

#include "base/text.h"
#include "network/ports.h"
#include "network/test_net.h"
#include "os/file.h"
#include "os/nftables.h"
#include "store/database.h"

namespace proa::network {
namespace {

const std::vector<std::string> kEverywhere = {"0.0.0.0"};

TEST(PortTable, GivesAPortToOneOfEachProtocolAndAddress) {
  PortTable table(40000, 40003);
  auto reserve = [&](PortMapping mapping) {
    try {
      auto got = table.reserve({&mapping, 1}, kEverywhere, "web (id)");
      return cat(got[0].host_ip, ":", got[0].host_port, "/", got[0].protocol);
    } catch (const Error& error) {
      return error.message();
    }
  };
  EXPECT_EQ(reserve({.host_port = 18080, .container_port = 80}), "0.0.0.0:18080/tcp");
  EXPECT_EQ(reserve({.host_port = 18080, .container_port = 80, .protocol = "udp"}), "0.0.0.0:18080/udp");
  EXPECT_EQ(reserve({.host_ip = "127.0.0.1", .host_port = 18080, .container_port = 80}),
            "driver failed programming external connectivity on endpoint web (id): Bind for 127.0.0.1:18080 failed: "
            "port is already allocated");
  EXPECT_EQ(reserve({.host_ip = "127.0.0.1", .host_port = 18081, .container_port = 80}), "127.0.0.1:18081/tcp");
  EXPECT_EQ(reserve({.host_ip = "127.0.0.2", .host_port = 18081, .container_port = 80}), "127.0.0.2:18081/tcp");
  EXPECT_EQ(reserve({.host_port = 18081, .host_port_end = 18083, .container_port = 80}), "0.0.0.0:18082/tcp")
      << "the next of the range";
  for (int i = 0; i < 4; ++i) EXPECT_EQ(reserve({.container_port = 80}), cat("0.0.0.0:", 40000 + i, "/tcp"));
  EXPECT_NE(reserve({.container_port = 80}).find("all ports are allocated"), std::string::npos);
  PortBinding back{"0.0.0.0", 40002, 80, "tcp"};
  table.give_back({&back, 1});
  EXPECT_EQ(reserve({.container_port = 80}), "0.0.0.0:40002/tcp");
}

TEST(PortTable, ReservesAllOrNone) {
  PortTable table;
  std::vector<PortMapping> wanted{{.host_port = 18090, .container_port = 1},
                                  {.host_port = 18091, .container_port = 2},
                                  {.host_port = 18090, .container_port = 3}};
  EXPECT_THROW(table.reserve(wanted, kEverywhere, "x"), Error);
  wanted.pop_back();
  EXPECT_EQ(table.reserve(wanted, kEverywhere, "x").size(), 2u);
}

TEST(PortTable, TakesOneNumberOnBothFamilies) {
  PortTable table(40010, 40012);
  std::vector<std::string> both = {"0.0.0.0", "::"};
  std::vector<PortMapping> taken{{.host_ip = "::", .host_port = 40010, .container_port = 1}},
      any{{.container_port = 2}};
  table.reserve(taken, both, "x");
  auto got = table.reserve(any, both, "x");
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].host_ip, "0.0.0.0");
  EXPECT_EQ(got[1].host_ip, "::");
  EXPECT_EQ(got[0].host_port, 40011) << "40010 is free on one of them only";
  EXPECT_EQ(got[1].host_port, 40011);
}

class Catalogue : public ::testing::Test {
 protected:
  void SetUp() override {
    NEEDS_ROOT();
    char path[] = "/tmp/proa-networks-XXXXXX";
    dir_ = ::mkdtemp(path);
    database_ = std::make_unique<store::Database>(cat(dir_, "/proa.db"));
    restart();
  }
  void TearDown() override {
    if (networks_) {
      networks_->prune({});
      networks_.reset();
    }
    database_.reset();
    if (dir_.empty()) return;
    os::remove_tree(dir_);
    os::NetlinkSocket socket(0 /* NETLINK_ROUTE */);
    os::NetlinkBatch batch;
    delete_link(batch, "proacat0");
    socket.try_execute(batch);
    os::nft_apply("flush ruleset");
  }
  void restart() {
    networks_.reset();
    networks_ =
        std::make_unique<Networks>(*database_, NetworkConfig{.bridge = "proacat0", .state_dir = cat(dir_, "/run")});
    networks_->recover({});
  }
  template <class F>
  std::string refusal(F&& f) {
    try {
      f();
      return "";
    } catch (const Error& error) {
      return cat(to_string(error.kind()), ": ", error.message());
    }
  }
  static bool has_link(const std::string& name) {
    os::NetlinkSocket socket(0);
    return find_link(socket, name).has_value();
  }
  std::string dir_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Networks> networks_;
};

TEST_F(Catalogue, HasTheBuiltInNetworksWithStableIds) {
  std::vector<NetworkRecord> first = networks_->list();
  ASSERT_EQ(first.size(), 3u);
  EXPECT_EQ(networks_->get("bridge").driver, "bridge");
  EXPECT_EQ(networks_->get("host").driver, "host");
  EXPECT_EQ(networks_->get("none").driver, "null");
  EXPECT_EQ(networks_->get("bridge").ipam.at(0).subnet, "172.17.0.0/16");
  EXPECT_EQ(networks_->get("bridge").ipam.at(0).gateway, "172.17.0.1");
  EXPECT_EQ(networks_->host_gateway(), "172.17.0.1");
  std::string id = networks_->get("bridge").id;
  restart();
  EXPECT_EQ(networks_->get("bridge").id, id);
  EXPECT_EQ(networks_->list().size(), 3u);
}

TEST_F(Catalogue, RefusesAsDockerDoes) {
  networks_->create({.name = "a"});
  EXPECT_EQ(refusal([&] { networks_->create({.name = "a"}); }), "Conflict: network with name a already exists");
  EXPECT_EQ(refusal([&] { networks_->create({.name = "bridge"}); }),
            "Forbidden: operation is not permitted on predefined bridge network ");
  EXPECT_EQ(refusal([&] { networks_->remove("host"); }),
            "Forbidden: host is a pre-defined network and cannot be removed");
  EXPECT_EQ(refusal([&] { networks_->remove("nosuch"); }), "NotFound: network nosuch not found");
  EXPECT_EQ(refusal([&] { networks_->create({.name = "b", .driver = "macvlan9"}); }),
            "NotFound: plugin \"macvlan9\" not found");
  EXPECT_EQ(refusal([&] { networks_->create({.name = "b", .driver = "host"}); }),
            "Forbidden: only one instance of \"host\" network is allowed");
  EXPECT_EQ(refusal([&] { networks_->create({.name = "b", .ipam = {{.subnet = "172.17.4.0/24"}}}); }),
            "Forbidden: invalid pool request: Pool overlaps with other one on this address space");
  EXPECT_EQ(refusal([&] { networks_->create({.name = "  "}); }), "InvalidArgument: invalid name: name is empty");
  EXPECT_EQ(refusal([&] {
              networks_->create({.name = "b", .options = {{"com.docker.network.bridge.name", "x\"; drop"}}});
            }),
            "InvalidArgument: invalid bridge name \"x\\\"; drop\"");
  EXPECT_EQ(networks_->list().size(), 4u) << "what was refused left nothing";
}

TEST_F(Catalogue, FindsByNameIdAndPrefix) {
  NetworkRecord a = networks_->create({.name = "a"});
  EXPECT_EQ(networks_->get(a.id).name, "a");
  EXPECT_EQ(networks_->get(a.id.substr(0, 12)).name, "a");
  EXPECT_FALSE(networks_->find("zz"));
  EXPECT_FALSE(networks_->find(""));
  EXPECT_EQ(networks_->get("default").name, "bridge");
}

TEST_F(Catalogue, RemovesNetworksNobodyUses) {
  NetworkRecord used = networks_->create({.name = "used"});
  NetworkRecord unused = networks_->create({.name = "unused"});
  EXPECT_TRUE(has_link(bridge_device(used)));
  networks_->connect_new(
      {.container_id = std::string(64, 'a'), .container_name = "box", .endpoints = {{.network = "used"}}});
  EXPECT_TRUE(refusal([&] {
                networks_->remove("used");
              }).starts_with("Forbidden: error while removing network: network used has active endpoints"));
  auto pruned = networks_->prune({});
  ASSERT_EQ(pruned.size(), 1u);
  EXPECT_EQ(pruned[0].name, "unused");
  EXPECT_FALSE(has_link(bridge_device(unused)));
  networks_->release(std::string(64, 'a'));
  networks_->remove("used");
  EXPECT_FALSE(has_link(bridge_device(used)));
  EXPECT_EQ(networks_->list().size(), 3u);
}

TEST_F(Catalogue, GivesStaticAddressesOnSubnetsTheUserChose) {
  networks_->create({.name = "mine", .ipam = {{.subnet = "10.9.0.0/24", .gateway = "10.9.0.254"}}});
  networks_->create({.name = "auto"});
  auto connect = [&](char id, EndpointRequest endpoint) {
    return networks_
        ->connect_new(
            {.container_id = std::string(64, id), .container_name = std::string(1, id), .endpoints = {endpoint}})
        .endpoints[0];
  };
  EXPECT_EQ(connect('a', {.network = "mine", .ipv4 = "10.9.0.77"}).gateway, "10.9.0.254");
  EXPECT_EQ(refusal([&] { connect('b', {.network = "mine", .ipv4 = "10.9.0.77"}); }),
            "Forbidden: Address already in use");
  EXPECT_EQ(refusal([&] { connect('b', {.network = "mine", .ipv4 = "10.8.0.1"}); }),
            "InvalidArgument: invalid endpoint settings:\nno configured subnet contains IP address 10.8.0.1");
  EXPECT_EQ(refusal([&] { connect('b', {.network = "auto", .ipv4 = "172.18.0.9"}); }),
            "InvalidArgument: user specified IP address is supported only when connecting to networks with user "
            "configured subnets");
  EXPECT_EQ(refusal([&] { connect('b', {.network = "bridge", .ipv4 = "172.17.0.9"}); }),
            "InvalidArgument: user specified IP address is supported on user defined networks only");
  EXPECT_EQ(connect('b', {.network = "mine", .mac = "02:00:00:00:00:07"}).mac, "02:00:00:00:00:07");
  networks_->release(std::string(64, 'a'));
  networks_->release(std::string(64, 'b'));
}

// proves: I9 I12
TEST_F(Catalogue, SurvivesARestartAndRemovesWhatNobodyOwns) {
  NetworkRecord kept = networks_->create({.name = "kept",
                                          .internal = true,
                                          .options = {{"com.docker.network.bridge.name", "prcat1"}},
                                          .labels = {{"a", "b"}}});
  NetworkRecord lost = networks_->create({.name = "lost"});
  networks_.reset();
  database_->erase("networks", lost.id);  // as if killed between the record's removal and the bridge's
  os::NetlinkSocket socket(0);
  os::NetlinkBatch batch;
  delete_link(batch, "prcat1");
  socket.execute(batch);
  restart();
  EXPECT_EQ(networks_->get("kept").labels.at("a"), "b");
  EXPECT_TRUE(networks_->get("kept").internal);
  EXPECT_TRUE(has_link("prcat1")) << "made again";
  EXPECT_FALSE(has_link(bridge_device(lost)));
  networks_->remove("kept");
}

TEST_F(Catalogue, HandsOutIpv6WhereAsked) {
  networks_->create({.name = "six", .enable_ipv6 = true, .ipam = {{.subnet = "fd00:9::/64"}}});
  Sandbox a = networks_->connect_new(
      {.container_id = std::string(64, 'a'), .container_name = "a", .endpoints = {{.network = "six"}}});
  EXPECT_EQ(a.endpoints[0].ipv6, "fd00:9::2");
  EXPECT_EQ(a.endpoints[0].ipv6_gateway, "fd00:9::1");
  EXPECT_FALSE(a.endpoints[0].ipv4.empty());
  os::in_netns(a.netns.get(), [] {
    os::NetlinkSocket socket(0);
    bool found = false;
    for (const auto& route : list_routes(socket))
      found = found || (route.gateway && route.gateway->text() == "fd00:9::1");
    EXPECT_TRUE(found);
  });
  networks_->release(std::string(64, 'a'));
}

}  // namespace
}  // namespace proa::network
