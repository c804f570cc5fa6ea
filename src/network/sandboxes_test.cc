#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "network/networks.h"
#include "network/test_net.h"
#include "os/file.h"
#include "os/nftables.h"
#include "store/database.h"

namespace proa::network {
namespace {

using test::Server;
using test::tcp_ask;
using test::udp_ask;

// A daemon's worth of networks under a temporary directory, its bridge unlike any real one's.
class Sandboxes : public ::testing::Test {
 protected:
  void SetUp() override {
    NEEDS_ROOT();
    char path[] = "/tmp/proa-network-XXXXXX";
    dir_ = ::mkdtemp(path);
    database_ = std::make_unique<store::Database>(cat(dir_, "/proa.db"));
    host_ = os::current_netns();
    restart();
    networks_->recover({});
  }
  void TearDown() override {
    networks_.reset();
    database_.reset();
    if (!dir_.empty()) os::remove_tree(dir_);
    if (!test::why_not_root().empty()) return;
    os::NetlinkSocket socket(NETLINK_ROUTE);
    for (const os::Link& link : list_links(socket)) {
      if (link.kind != "bridge" && !link.name.starts_with("wire")) continue;
      os::NetlinkBatch batch;
      delete_link(batch, link.name);
      socket.try_execute(batch);  // those of dropped namespaces go by themselves
    }
    os::nft_apply("flush ruleset");
  }
  void restart() {
    networks_.reset();
    networks_ = std::make_unique<Networks>(*database_,
                                           NetworkConfig{.bridge = "proatest0", .state_dir = cat(dir_, "/network")});
  }
  Sandbox run(const std::string& name, std::vector<EndpointRequest> endpoints = {{.network = "bridge"}},
              std::vector<PortMapping> ports = {}) {
    return networks_->connect_new({.container_id = id(name),
                                   .container_name = name,
                                   .hostname = name,
                                   .endpoints = std::move(endpoints),
                                   .ports = std::move(ports)});
  }
  static std::string id(const std::string& name) {
    std::string out;
    for (int i = 0; out.size() < 64; ++i) out += "0123456789abcdef"[(name[i % name.size()] + i) % 16];
    return out;
  }
  std::string dir_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Networks> networks_;
  os::Fd host_;
};

TEST_F(Sandboxes, NamespaceKeptReadyIsLikeANewOne) {
  auto settings = [](const Sandbox& sandbox) {
    std::string out;
    os::in_netns(sandbox.netns.get(), [&] {
      for (const char* name :
           {"ipv4/ip_unprivileged_port_start", "ipv4/ping_group_range", "ipv6/conf/default/disable_ipv6",
            "ipv6/conf/eth0/disable_ipv6", "ipv6/conf/lo/accept_ra"})
        out += os::read_file(cat("/proc/sys/net/", name));
      os::NetlinkSocket socket(NETLINK_ROUTE);
      for (const os::Link& link : list_links(socket)) out += cat(link.name, link.up ? " up\n" : " down\n");
    });
    return out;
  };
  Sandbox fresh = run("fresh");
  networks_->keep_ready();
  Sandbox ready = run("ready");
  EXPECT_EQ(settings(ready), settings(fresh));
  EXPECT_NE(settings(ready).find("lo up\n"), std::string::npos);
  EXPECT_FALSE(os::same_netns(ready.netns.get(), fresh.netns.get()));
  Sandbox next = run("next");
  EXPECT_FALSE(os::same_netns(ready.netns.get(), next.netns.get())) << "the spare was given twice";
}

TEST_F(Sandboxes, OnOneBridgeReachEachOtherAndTheGateway) {
  Sandbox a = run("a"), b = run("b");
  ASSERT_EQ(a.endpoints.size(), 1u);
  EXPECT_EQ(a.endpoints[0].interface, "eth0");
  EXPECT_EQ(a.endpoints[0].ipv4, "172.17.0.2");
  EXPECT_EQ(a.endpoints[0].mac, "02:42:ac:11:00:02");
  EXPECT_EQ(a.endpoints[0].gateway, "172.17.0.1");
  EXPECT_EQ(b.endpoints[0].ipv4, "172.17.0.3");
  Server server(b.netns.get(), 80, "b");
  EXPECT_EQ(tcp_ask(a.netns.get(), "172.17.0.3", 80), "b 172.17.0.2");
  EXPECT_EQ(tcp_ask(host_.get(), "172.17.0.3", 80), "b 172.17.0.1");
  Server host_server(host_.get(), 8000, "host");
  EXPECT_EQ(tcp_ask(a.netns.get(), "172.17.0.1", 8000), "host 172.17.0.2");
}

// proves: 86 87
TEST_F(Sandboxes, HaveDockersSettingsAndNoIpv6OnTheirInterface) {
  Sandbox a = run("a");
  os::in_netns(a.netns.get(), [] {
    EXPECT_EQ(trim(os::read_file("/proc/sys/net/ipv4/ip_unprivileged_port_start")), "0");
    EXPECT_EQ(trim(os::read_file("/proc/sys/net/ipv4/ping_group_range")), "0\t2147483647");
    EXPECT_EQ(trim(os::read_file("/proc/sys/net/ipv6/conf/eth0/disable_ipv6")), "1");
    EXPECT_EQ(trim(os::read_file("/proc/sys/net/ipv6/conf/lo/disable_ipv6")), "0");
    os::NetlinkSocket socket(NETLINK_ROUTE);
    for (const os::LinkAddress& address : list_addresses(socket)) {
      EXPECT_TRUE(address.address.address.is_v4() || address.address.address.is_loopback()) << address.address.text();
    }
  });
  EXPECT_EQ(trim(os::read_file("/proc/sys/net/ipv6/conf/proatest0/disable_ipv6")), "1");
  EXPECT_EQ(trim(os::read_file("/proc/sys/net/ipv6/conf/proatest0/accept_ra")), "0");
}

TEST_F(Sandboxes, ReachTheOutsideMasqueraded) {
  os::NewNetns neighbour = test::make_neighbour();
  Server server(neighbour.netns.get(), 80, "outside");
  Sandbox a = run("a");
  EXPECT_EQ(tcp_ask(a.netns.get(), "192.0.2.10", 80), "outside 192.0.2.1");
  EXPECT_EQ(udp_ask(a.netns.get(), "192.0.2.10", 80), "outside 192.0.2.1");
}

TEST_F(Sandboxes, ArePublishedToOutsideLoopbackHostAndNeighboursAlike) {
  os::NewNetns neighbour = test::make_neighbour();
  Sandbox web =
      run("web", {{.network = "bridge"}},
          {{.host_port = 8080, .container_port = 80}, {.host_port = 8081, .container_port = 80, .protocol = "udp"}});
  Sandbox other = run("other");
  Server server(web.netns.get(), 80, "web");
  EXPECT_EQ(tcp_ask(neighbour.netns.get(), "192.0.2.1", 8080), "web 192.0.2.10");
  EXPECT_EQ(udp_ask(neighbour.netns.get(), "192.0.2.1", 8081), "web 192.0.2.10");
  EXPECT_TRUE(tcp_ask(host_.get(), "127.0.0.1", 8080));
  EXPECT_TRUE(udp_ask(host_.get(), "127.0.0.1", 8081));
  EXPECT_TRUE(tcp_ask(host_.get(), "192.0.2.1", 8080));
  EXPECT_TRUE(tcp_ask(other.netns.get(), "192.0.2.1", 8080));
  EXPECT_TRUE(tcp_ask(other.netns.get(), "172.17.0.1", 8080));
  EXPECT_TRUE(tcp_ask(web.netns.get(), "192.0.2.1", 8080)) << "hairpin";
  networks_->release(id("web"));
  EXPECT_FALSE(tcp_ask(neighbour.netns.get(), "192.0.2.1", 8080));
}

// proves: 90
TEST_F(Sandboxes, AreNotReachedByRoutingToTheirAddress) {
  os::NewNetns attacker = test::make_neighbour();
  Sandbox web = run("web", {{.network = "bridge"}}, {{.host_port = 8080, .container_port = 80}});
  Server published(web.netns.get(), 80, "web"), closed(web.netns.get(), 81, "web");
  ASSERT_TRUE(tcp_ask(attacker.netns.get(), "192.0.2.1", 8080));
  EXPECT_FALSE(tcp_ask(attacker.netns.get(), "172.17.0.2", 80));
  EXPECT_FALSE(tcp_ask(attacker.netns.get(), "172.17.0.2", 81));
  EXPECT_FALSE(udp_ask(attacker.netns.get(), "172.17.0.2", 81));
}

// proves: 89
TEST_F(Sandboxes, PublishedOnLoopbackAreNotReachedFromTheWire) {
  os::NewNetns attacker = test::make_neighbour();
  Sandbox web = run("web", {{.network = "bridge"}},
                    {{.host_ip = "127.0.0.2", .host_port = 8080, .container_port = 80},
                     {.host_ip = "127.0.0.2", .host_port = 8080, .container_port = 80, .protocol = "udp"}});
  Server server(web.netns.get(), 80, "web");
  EXPECT_TRUE(tcp_ask(host_.get(), "127.0.0.2", 8080));
  EXPECT_TRUE(udp_ask(host_.get(), "127.0.0.2", 8080));
  EXPECT_FALSE(tcp_ask(host_.get(), "127.0.0.1", 8080));
  EXPECT_FALSE(tcp_ask(attacker.netns.get(), "192.0.2.1", 8080));
  // The attacker routes 127.0.0.2 over the wire to a host that, for somebody else's sake, lets such packets in.
  os::in_netns(attacker.netns.get(), [] { os::write_file("/proc/sys/net/ipv4/conf/all/route_localnet", "1"); });
  os::write_file("/proc/sys/net/ipv4/conf/all/route_localnet", "1");
  os::NetlinkBatch batch;
  delete_address(batch, 1, *os::IpPrefix::parse("127.0.0.1/8"));
  add_route(batch, *os::IpPrefix::parse("127.0.0.2/32"), os::IpAddress::parse("192.0.2.1"),
            find_link(*attacker.route, "wire")->index);
  attacker.route->execute(batch);
  EXPECT_FALSE(tcp_ask(attacker.netns.get(), "127.0.0.2", 8080));
  EXPECT_FALSE(udp_ask(attacker.netns.get(), "127.0.0.2", 8080));
  // It is our rule that keeps it out: without it the attack works, so that this test means something.
  os::nft_apply("flush chain ip proa_proatest0 raw_prerouting");
  EXPECT_TRUE(tcp_ask(attacker.netns.get(), "127.0.0.2", 8080));
  os::write_file("/proc/sys/net/ipv4/conf/all/route_localnet", "0");
}

// proves: 92
TEST_F(Sandboxes, TakeNoTrafficThatOnlyPassesThrough) {
  os::NewNetns neighbour = test::make_neighbour();
  Sandbox a = run("a");
  Sandbox web =
      run("web", {{.network = "bridge"}},
          {{.host_port = 8080, .container_port = 80}, {.host_port = 8080, .container_port = 80, .protocol = "udp"}});
  Server server(web.netns.get(), 80, "web"), outside(neighbour.netns.get(), 8080, "outside");
  EXPECT_EQ(tcp_ask(neighbour.netns.get(), "192.0.2.1", 8080), "web 192.0.2.10");
  EXPECT_EQ(tcp_ask(a.netns.get(), "192.0.2.10", 8080), "outside 192.0.2.1");
  EXPECT_EQ(udp_ask(a.netns.get(), "192.0.2.10", 8080), "outside 192.0.2.1");
}

TEST_F(Sandboxes, PassAHostFirewallThatDropsForwardedPackets) {
  if (!os::exists("/usr/sbin/iptables")) GTEST_SKIP() << "no iptables here";
  ASSERT_EQ(std::system("/usr/sbin/iptables -P FORWARD DROP"), 0);
  restart();
  networks_->recover({});
  os::NewNetns neighbour = test::make_neighbour();
  Sandbox web = run("web", {{.network = "bridge"}}, {{.host_port = 8080, .container_port = 80}});
  Server server(web.netns.get(), 80, "web"), outside(neighbour.netns.get(), 80, "outside"),
      closed(web.netns.get(), 81, "web");
  EXPECT_TRUE(tcp_ask(neighbour.netns.get(), "192.0.2.1", 8080));
  EXPECT_TRUE(tcp_ask(web.netns.get(), "192.0.2.10", 80));
  EXPECT_FALSE(tcp_ask(neighbour.netns.get(), "172.17.0.2", 81)) << "our own rules still hold";
  ASSERT_EQ(std::system("/usr/sbin/iptables -P FORWARD ACCEPT; /usr/sbin/iptables -F FORWARD"), 0);
}

TEST_F(Sandboxes, DoNotReachTheHostsLoopback) {
  Sandbox a = run("a");
  Server server(host_.get(), 8000, "host", "127.0.0.1");
  os::in_netns(a.netns.get(), [] { os::write_file("/proc/sys/net/ipv4/conf/all/route_localnet", "1"); });
  os::in_netns(a.netns.get(), [] {
    os::NetlinkSocket socket(NETLINK_ROUTE);
    os::NetlinkBatch batch;
    delete_address(batch, 1, *os::IpPrefix::parse("127.0.0.1/8"));
    add_route(batch, *os::IpPrefix::parse("127.0.0.1/32"), os::IpAddress::parse("172.17.0.1"),
              find_link(socket, "eth0")->index);
    socket.execute(batch);
  });
  EXPECT_FALSE(tcp_ask(a.netns.get(), "127.0.0.1", 8000));
  os::nft_apply("flush chain ip proa_proatest0 raw_prerouting");
  EXPECT_TRUE(tcp_ask(a.netns.get(), "127.0.0.1", 8000)) << "route_localnet of the bridge lets it in but for our rule";
}

TEST_F(Sandboxes, FindEachOtherByNameAlsoAfterARestart) {
  networks_->create({.name = "mynet"});
  Sandbox a = run("a", {{.network = "mynet"}}), b = run("b", {{.network = "mynet", .aliases = {"db"}}});
  EXPECT_TRUE(a.embedded_dns);
  auto resolve = [&](const std::string& name) {
    // id, RD, one question: name A IN
    std::string query{"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12};
    query += cat(static_cast<char>(name.size()), name) + std::string{"\0\0\1\0\1", 5};
    std::string answer;
    os::in_netns(a.netns.get(), [&] {
      os::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(53);
      to.sin_addr.s_addr = htonl(0x7f00000b);
      timeval deadline{1, 0};
      ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
      ::sendto(socket.get(), query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
      char buffer[512];
      ssize_t size = ::recv(socket.get(), buffer, sizeof buffer, 0);
      if (size > 16) answer = os::IpAddress::from_bytes(os::Family::V4, buffer + size - 4).text();
    });
    return answer;
  };
  EXPECT_EQ(resolve("b"), b.endpoints[0].ipv4);
  EXPECT_EQ(resolve("DB"), b.endpoints[0].ipv4);
  EXPECT_EQ(resolve(id("b").substr(0, 12)), b.endpoints[0].ipv4);
  networks_->rename(id("b"), "c");
  EXPECT_EQ(resolve("c"), b.endpoints[0].ipv4);
  pid_t pids[2];
  for (int i = 0; i < 2; ++i) {
    pids[i] = ::fork();
    if (pids[i] != 0) continue;
    if (::setns((i == 0 ? a : b).netns.get(), CLONE_NEWNET) != 0) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  restart();
  EXPECT_EQ(resolve("c"), "") << "nobody answers while the daemon is away";
  LiveContainer live[] = {{id("a"), pids[0]}, {id("b"), pids[1]}};
  networks_->recover(live);
  EXPECT_EQ(resolve("c"), b.endpoints[0].ipv4);
  for (pid_t pid : pids) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
}

TEST_F(Sandboxes, OnDifferentNetworksAreKeptApart) {
  networks_->create({.name = "front"});
  networks_->create({.name = "back"});
  Sandbox a = run("a", {{.network = "front"}}), b = run("b", {{.network = "back"}}),
          both = run("both", {{.network = "front"}, {.network = "back"}});
  ASSERT_EQ(both.endpoints.size(), 2u);
  EXPECT_EQ(both.endpoints[1].interface, "eth1");
  Server server(b.netns.get(), 80, "b");
  EXPECT_FALSE(tcp_ask(a.netns.get(), b.endpoints[0].ipv4, 80));
  EXPECT_EQ(tcp_ask(both.netns.get(), b.endpoints[0].ipv4, 80), cat("b ", both.endpoints[1].ipv4));
}

TEST_F(Sandboxes, OnInternalNetworksReachNothingOutside) {
  os::NewNetns neighbour = test::make_neighbour();
  Server outside(neighbour.netns.get(), 80, "outside");
  networks_->create({.name = "inner", .internal = true});
  Sandbox a = run("a", {{.network = "inner"}}), b = run("b", {{.network = "inner"}});
  EXPECT_EQ(a.endpoints[0].gateway, "");
  Server server(b.netns.get(), 80, "b");
  EXPECT_TRUE(tcp_ask(a.netns.get(), b.endpoints[0].ipv4, 80));
  // Even one that sets its own default route.
  os::in_netns(a.netns.get(), [] {
    os::NetlinkSocket socket(NETLINK_ROUTE);
    os::NetlinkBatch batch;
    add_default_route(batch, *os::IpAddress::parse("172.18.0.1"), find_link(socket, "eth0")->index);
    socket.execute(batch);
  });
  EXPECT_FALSE(tcp_ask(a.netns.get(), "192.0.2.10", 80));
}

TEST_F(Sandboxes, WithoutANetworkHaveLoopbackAlone) {
  Sandbox none = run("a", {{.network = "none"}});
  EXPECT_TRUE(none.netns);
  os::in_netns(none.netns.get(), [] {
    os::NetlinkSocket socket(NETLINK_ROUTE);
    for (const os::Link& link : list_links(socket)) EXPECT_NE(link.kind, "veth");
    EXPECT_TRUE(find_link(socket, "lo")->up);
  });
  Sandbox host = run("h", {{.network = "host"}});
  EXPECT_TRUE(host.host);
  EXPECT_FALSE(host.netns);
}

TEST_F(Sandboxes, GetPortsNobodyHas) {
  run("a", {{.network = "bridge"}}, {{.host_port = 8080, .container_port = 80}});
  try {
    run("b", {{.network = "bridge"}}, {{.host_port = 8080, .container_port = 80}});
    FAIL() << "the port was given twice";
  } catch (const Error& error) {
    EXPECT_TRUE(error.message().starts_with("driver failed programming external connectivity on endpoint b ("))
        << error.message();
    EXPECT_TRUE(error.message().ends_with("): Bind for 0.0.0.0:8080 failed: port is already allocated"))
        << error.message();
  }
  Server listener(host_.get(), 8090, "host");
  try {
    run("c", {{.network = "bridge"}}, {{.host_port = 8090, .container_port = 80}});
    FAIL() << "a listener's port was given away";
  } catch (const Error& error) {
    EXPECT_TRUE(error.message().ends_with("): listen tcp4 0.0.0.0:8090: bind: address already in use"))
        << error.message();
  }
  Sandbox d = run("d", {{.network = "bridge"}}, {{.container_port = 80}, {.container_port = 81}});
  EXPECT_GE(d.ports[0].host_port, 32768);
  EXPECT_NE(d.ports[0].host_port, d.ports[1].host_port);
}

// proves: I9
TEST_F(Sandboxes, LeaveNothingBehindWhenTheyFailOrEnd) {
  for (int i = 0; i < 300; ++i) {
    run("a", {{.network = "bridge"}}, {{.host_port = 8080, .container_port = 80}});
    networks_->release(id("a"));
  }
  EXPECT_TRUE(networks_->attached(networks_->get("bridge").id).empty());
  std::string rules = os::nft_query({"list", "map", "ip", "proa_proatest0", "ports_any"});
  EXPECT_EQ(rules.find("8080"), std::string::npos) << rules;
  EXPECT_TRUE(os::list_dir(cat(dir_, "/network")).size() <= 1) << "only the ip_forward mark may be there";
  // The kernel takes the veths away by itself.
  os::NetlinkSocket socket(NETLINK_ROUTE);
  for (int i = 0; i < 100; ++i) {
    bool left = false;
    for (const os::Link& link : list_links(socket)) left = left || link.name.starts_with("vproa");
    if (!left) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  FAIL() << "veths are left";
}

TEST_F(Sandboxes, AreConnectedAndDisconnectedWhileTheyRun) {
  networks_->create({.name = "extra", .ipam = {{.subnet = "10.77.0.0/24"}}});
  Sandbox a = run("a"), b = run("b", {{.network = "extra"}});
  Server server(b.netns.get(), 80, "b");
  EXPECT_FALSE(tcp_ask(a.netns.get(), b.endpoints[0].ipv4, 80));
  Endpoint endpoint = networks_->connect(id("a"), {.network = "extra", .ipv4 = "10.77.0.50"});
  EXPECT_EQ(endpoint.interface, "eth1");
  EXPECT_EQ(tcp_ask(a.netns.get(), b.endpoints[0].ipv4, 80), "b 10.77.0.50");
  EXPECT_THROW(networks_->connect(id("a"), {.network = "extra"}), Error);
  networks_->disconnect(id("a"), "extra", false);
  EXPECT_FALSE(tcp_ask(a.netns.get(), b.endpoints[0].ipv4, 80));
  EXPECT_EQ(networks_->endpoints(id("a")).size(), 1u);
}

// proves: 91 I10
TEST_F(Sandboxes, SurviveTheDaemonAndAFlushedFirewall) {
  os::NewNetns neighbour = test::make_neighbour();
  Sandbox web = run("web", {{.network = "bridge"}}, {{.host_port = 8080, .container_port = 80}});
  Server server(web.netns.get(), 80, "web");
  run("gone");
  pid_t pid = ::fork();
  if (pid == 0) {
    // Holds the namespace, as the container's process would.
    if (::setns(web.netns.get(), CLONE_NEWNET) != 0) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  os::nft_apply("flush ruleset");
  restart();
  LiveContainer live{id("web"), pid};
  networks_->recover({&live, 1});
  EXPECT_EQ(tcp_ask(neighbour.netns.get(), "192.0.2.1", 8080), "web 192.0.2.10");
  EXPECT_EQ(networks_->endpoints(id("web")).size(), 1u);
  EXPECT_TRUE(networks_->endpoints(id("gone")).empty());
  EXPECT_THROW(run("b", {{.network = "bridge"}}, {{.host_port = 8080, .container_port = 80}}), Error);
  EXPECT_NE(run("c").endpoints[0].ipv4, web.endpoints[0].ipv4);
  // And one flushed while the daemon runs is put back, though nothing else changes.
  os::nft_apply("flush ruleset");
  for (int i = 0; i < 100 && os::nft_query({"list", "tables"}).find("proa_proatest0") == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(tcp_ask(neighbour.netns.get(), "192.0.2.1", 8080), "web 192.0.2.10");
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

}  // namespace
}  // namespace proa::network
