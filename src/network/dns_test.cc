#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "base/id.h"
#include "base/text.h"
#include "network/dns.h"
#include "network/dns_message.h"
#include "network/test_net.h"
#include "os/netlink.h"

namespace proa::network {
namespace {

std::string u16(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)}; }

std::string wire_name(std::string_view name) {
  std::string out;
  for (const std::string& label : split(name, '.')) out += cat(static_cast<char>(label.size()), label);
  return out + '\0';
}

std::string make_query(std::string_view name, unsigned type, unsigned id = 0x1234, bool edns = false) {
  std::string out =
      u16(id) + u16(0x0100) + u16(1) + u16(0) + u16(0) + u16(edns ? 1 : 0) + wire_name(name) + u16(type) + u16(1);
  if (edns) out += std::string(1, '\0') + u16(41) + u16(4096) + u16(0) + u16(0) + u16(0);
  return out;
}

unsigned code(const std::string& answer) { return answer.at(3) & 0x0f; }
unsigned answers(const std::string& answer) {
  return static_cast<unsigned char>(answer.at(6)) << 8 | static_cast<unsigned char>(answer.at(7));
}
// The last four bytes of an answer to a question without EDNS: its A record's address.
std::string address_in(const std::string& answer) {
  return os::IpAddress::from_bytes(os::Family::V4, answer.data() + answer.size() - 4).text();
}

TEST(DnsMessage, ReadsAQuestion) {
  dns::Parsed parsed = dns::parse_query(make_query("Web.Example", 1, 7, true));
  ASSERT_TRUE(parsed.query);
  EXPECT_EQ(parsed.query->name, "Web.Example");
  EXPECT_EQ(parsed.query->type, dns::kA);
  EXPECT_TRUE(parsed.query->edns);
  EXPECT_EQ(parsed.query->payload_size, 4096u);
}

// proves: 94
TEST(DnsMessage, RefusesWhatIsMalformed) {
  auto fault = [](const std::string& bytes) {
    dns::Parsed parsed = dns::parse_query(bytes);
    return parsed.drop ? "drop" : parsed.query ? "fine" : parsed.fault == dns::kFormatError ? "format" : "other";
  };
  std::string good = make_query("a", 1);
  EXPECT_STREQ(fault(""), "drop");
  EXPECT_STREQ(fault(good.substr(0, 11)), "drop");
  std::string response = good;
  response[2] = static_cast<char>(0x81);
  EXPECT_STREQ(fault(response), "drop") << "an answer to an answer would loop";
  for (std::size_t cut = 12; cut < good.size(); ++cut) EXPECT_STREQ(fault(good.substr(0, cut)), "format") << cut;
  std::string many = good;
  many[4] = many[5] = static_cast<char>(0xff);
  EXPECT_STREQ(fault(many), "format") << "QDCOUNT 65535";
  std::string header = good.substr(0, 12);
  EXPECT_STREQ(fault(header + "\xc0\x0c" + u16(1) + u16(1)), "format") << "a pointer to itself";
  EXPECT_STREQ(fault(header + std::string(1, 64) + std::string(64, 'a') + '\0' + u16(1) + u16(1)), "format")
      << "label of 64";
  std::string long_name;
  for (int i = 0; i < 10; ++i) long_name += std::string(1, 60) + std::string(60, 'a');
  EXPECT_STREQ(fault(header + long_name + '\0' + u16(1) + u16(1)), "format") << "name of 610";
  std::string records = good;
  records[10] = records[11] = static_cast<char>(0xff);
  EXPECT_STREQ(fault(records), "format") << "ARCOUNT 65535 without records";
  std::string update = good;
  update[2] = 0x28;
  EXPECT_STREQ(fault(update), "other");
}

// proves: 94
TEST(DnsMessage, NeverReadsPastRandomBytes) {
  for (int i = 0; i < 50'000; ++i) {
    std::string bytes = i % 2 ? make_query("some.name", 1, 1, true) : std::string(random_u64() % 80, '\0');
    for (int changes = static_cast<int>(random_u64() % 6) + (i % 2 ? 0 : 60); changes > 0 && !bytes.empty();
         --changes) {
      bytes[random_u64() % bytes.size()] = static_cast<char>(random_u64());
    }
    if (random_u64() % 4 == 0) bytes.resize(random_u64() % (bytes.size() + 1));
    std::string exact(bytes);  // its own allocation, for the sanitizer
    dns::Parsed parsed = dns::parse_query(exact);
    if (parsed.query) {
      EXPECT_LE(parsed.query->question_end, exact.size());
      EXPECT_LE(dns::address_answer(exact, *parsed.query, {os::IpAddress::v4(1)}, 512).size(), 512u);
    } else if (!parsed.drop) {
      EXPECT_EQ(dns::error_answer(exact, parsed.fault).size(), 12u);
    }
    dns::matches(make_query("some.name", 1), exact, 1);
  }
}

TEST(DnsMessage, CutsAnswersThatDoNotFit) {
  std::string query = make_query("many", 1);
  dns::Parsed parsed = dns::parse_query(query);
  std::string answer = dns::address_answer(query, *parsed.query, std::vector<os::IpAddress>(100), 512);
  EXPECT_LE(answer.size(), 512u);
  EXPECT_TRUE(dns::is_truncated(answer));
  EXPECT_EQ(answers(answer), 0u);
}

TEST(DnsMessage, ReadsReverseNames) {
  EXPECT_EQ(dns::reverse_address("2.0.17.172.in-addr.arpa"), os::IpAddress::parse("172.17.0.2"));
  EXPECT_EQ(dns::reverse_address("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa"),
            os::IpAddress::parse("fd00::1"));
  EXPECT_FALSE(dns::reverse_address("2.0.17.in-addr.arpa"));
  EXPECT_FALSE(dns::reverse_address("x.0.17.172.in-addr.arpa"));
}

TEST(Names, AreSeenOnSharedNetworksOnly) {
  Names names;
  names.add({"n1", "front", "web", {"web", "www"}, os::IpAddress::parse("10.0.0.2"), {}});
  names.add({"n1", "front", "app", {"app"}, os::IpAddress::parse("10.0.0.3"), {}});
  names.add({"n2", "back", "app", {"app", "db"}, os::IpAddress::parse("10.1.0.3"), {}});
  names.add({"n2", "back", "store", {"store", "db"}, os::IpAddress::parse("10.1.0.4"), {}});
  EXPECT_EQ(names.lookup("app", "WEB").ipv4.size(), 1u);
  EXPECT_EQ(names.lookup("app", "www.front.").ipv4.size(), 1u);
  EXPECT_EQ(names.lookup("app", "db").ipv4.size(), 2u);
  EXPECT_FALSE(names.lookup("web", "store").known);
  EXPECT_EQ(names.reverse("web", *os::IpAddress::parse("10.0.0.3")), "app.front");
  EXPECT_FALSE(names.reverse("web", *os::IpAddress::parse("10.1.0.4")));
  names.rename("web", "web", "site");
  EXPECT_FALSE(names.lookup("app", "web").known);
  EXPECT_TRUE(names.lookup("app", "site").known);
  names.remove("n2", "app");
  EXPECT_FALSE(names.lookup("app", "store").known);
}

// A link's name stands for another name of the same network, for the one container that has the link.
TEST(Names, LinksAreSeenByTheirOwnerOnly) {
  Names names;
  names.add({"n1", "front", "web", {"web"}, os::IpAddress::parse("10.0.0.2"), {}, {{"DB", "store"}, {"gone", "x"}}});
  names.add({"n1", "front", "store", {"store"}, os::IpAddress::parse("10.0.0.3"), {}, {}});
  names.add({"n1", "front", "other", {"other", "db"}, os::IpAddress::parse("10.0.0.4"), {}, {}});
  names.add({"n2", "back", "x", {"x"}, os::IpAddress::parse("10.1.0.3"), {}, {}});
  ASSERT_EQ(names.lookup("web", "db").ipv4.size(), 1u);
  EXPECT_EQ(names.lookup("web", "db.").ipv4[0].text(), "10.0.0.3") << "the link goes before others' names";
  EXPECT_EQ(names.lookup("store", "db").ipv4[0].text(), "10.0.0.4");
  EXPECT_FALSE(names.lookup("web", "gone").known) << "not on this network";
  names.remove("n1", "store");
  EXPECT_EQ(names.lookup("web", "db").ipv4[0].text(), "10.0.0.4");
}

class Dns : public ::testing::Test {
 protected:
  void SetUp() override {
    NEEDS_ROOT();
    box_ = os::make_netns([&] { sockets_ = open_dns_sockets(); });
    os::NetlinkBatch batch;
    set_link_up(batch, 1);
    box_.route->execute(batch);
    server_.with_names([](Names& names) {
      names.add({"n", "net", "me", {"me"}, os::IpAddress::parse("10.0.0.2"), {}});
      names.add({"n", "net", "web", {"web", "alias"}, os::IpAddress::parse("10.0.0.3"), {}});
    });
  }
  void add(bool forward, std::vector<std::string> upstream = {"127.0.0.53"}) {
    server_.add({"me", std::move(sockets_), std::move(upstream), forward});
  }

  // "" if there is no answer within `milliseconds`.
  std::string ask(const std::string& query, int milliseconds = 1000) {
    std::string answer;
    os::in_netns(box_.netns.get(), [&] {
      os::Fd socket = connect(SOCK_DGRAM);
      os::check(::send(socket.get(), query.data(), query.size(), 0), "send");
      answer = receive(socket, milliseconds);
    });
    return answer;
  }
  static os::Fd connect(int type) {
    os::Fd socket(os::check(::socket(AF_INET, type | SOCK_CLOEXEC, 0), "socket"));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(53);
    to.sin_addr.s_addr = htonl(0x7f00000b);
    os::check(::connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to), "connect");
    return socket;
  }
  static std::string receive(const os::Fd& socket, int milliseconds) {
    pollfd wait{socket.get(), POLLIN, 0};
    if (::poll(&wait, 1, milliseconds) != 1) return "";
    char buffer[65536];
    ssize_t size = ::recv(socket.get(), buffer, sizeof buffer, 0);
    return size > 0 ? std::string(buffer, static_cast<std::size_t>(size)) : "";
  }
  DnsServer server_;
  DnsSockets sockets_;
  os::NewNetns box_;
};

TEST_F(Dns, AnswersNamesAliasesAndReverse) {
  add(false);
  std::string answer = ask(make_query("web", 1));
  ASSERT_GT(answer.size(), 12u);
  EXPECT_EQ(code(answer), 0u);
  EXPECT_EQ(address_in(answer), "10.0.0.3");
  EXPECT_EQ(address_in(ask(make_query("ALIAS.net", 1))), "10.0.0.3");
  std::string none = ask(make_query("web", 28));
  EXPECT_EQ(code(none), 0u) << "the name exists, though it has no IPv6 address";
  EXPECT_EQ(answers(none), 0u);
  std::string reverse = ask(make_query("3.0.0.10.in-addr.arpa", 12));
  EXPECT_NE(reverse.find(std::string_view("\3web\3net", 8)), std::string::npos);
}

TEST_F(Dns, AnswersByTcp) {
  add(false);
  os::in_netns(box_.netns.get(), [&] {
    os::Fd socket = connect(SOCK_STREAM);
    std::string query = make_query("web", 1);
    std::string both =
        u16(static_cast<unsigned>(query.size())) + query + u16(static_cast<unsigned>(query.size())) + query;
    // In two pieces, the second question with it, and then half closed.
    os::check(::send(socket.get(), both.data(), 5, 0), "send");
    ::usleep(20'000);
    os::check(::send(socket.get(), both.data() + 5, both.size() - 5, 0), "send");
    ::shutdown(socket.get(), SHUT_WR);
    std::string got;
    for (std::string piece = receive(socket, 1000); !piece.empty(); piece = receive(socket, 1000)) got += piece;
    EXPECT_EQ(got.size(), 2 * (2 + query.size() + 16));
  });
}

TEST_F(Dns, LeavesPort53ToTheContainersOwnServer) {
  add(false);
  test::Server own(box_.netns.get(), 53, "own");
  EXPECT_EQ(address_in(ask(make_query("web", 1))), "10.0.0.3");
  EXPECT_EQ(test::udp_ask(box_.netns.get(), "127.0.0.1", 53), "own 127.0.0.1");
  EXPECT_EQ(test::tcp_ask(box_.netns.get(), "127.0.0.1", 53), "own 127.0.0.1");
}

TEST_F(Dns, IsOpenedAgainInANamespaceItLeft) {
  add(false);
  server_.remove("me");
  os::in_netns(box_.netns.get(), [&] { sockets_ = open_dns_sockets(); });
  add(false);
  EXPECT_EQ(address_in(ask(make_query("web", 1))), "10.0.0.3");
}

// proves: 88
TEST_F(Dns, TellsNothingOutsideOnInternalNetworks) {
  std::atomic<int> asked = 0;
  os::Fd upstream(os::check(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(53);
  at.sin_addr.s_addr = htonl(0x7f000035);
  os::check(::bind(upstream.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), "bind");
  add(false);
  EXPECT_EQ(code(ask(make_query("secret.attacker.example", 1))), 3u);
  EXPECT_EQ(receive(upstream, 100), "") << "the host's resolver was asked";
  server_.set_forward("me", true);
  ask(make_query("public.example", 1), 10);
  EXPECT_NE(receive(upstream, 1000), "");
}

// proves: 94
TEST_F(Dns, ForwardsAndBelievesOnlyTheRightAnswer) {
  std::atomic<bool> stop = false;
  std::atomic<unsigned> first_id = 0, second_id = 0;
  os::Fd upstream(os::check(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(53);
  at.sin_addr.s_addr = htonl(0x7f000035);
  os::check(::bind(upstream.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), "bind");
  std::thread thread([&] {
    while (!stop) {
      pollfd wait{upstream.get(), POLLIN, 0};
      if (::poll(&wait, 1, 50) != 1) continue;
      char buffer[4096];
      sockaddr_in from{};
      socklen_t size = sizeof from;
      ssize_t got = ::recvfrom(upstream.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      std::string query(buffer, static_cast<std::size_t>(got));
      (first_id == 0 ? first_id : second_id) = dns::id_of(query);
      auto parsed = dns::parse_query(query);
      auto send = [&](const std::string& bytes) {
        ::sendto(upstream.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
      };
      std::string good = dns::address_answer(query, *parsed.query, {*os::IpAddress::parse("198.51.100.7")}, 512);
      std::string wrong = dns::address_answer(query, *parsed.query, {*os::IpAddress::parse("6.6.6.6")}, 512);
      dns::set_id(wrong, static_cast<std::uint16_t>(dns::id_of(query) + 1));
      send(wrong);
      send("garbage");
      send("");
      std::string other = make_query("other.example", 1, dns::id_of(query));
      send(dns::address_answer(other, *dns::parse_query(other).query, {*os::IpAddress::parse("6.6.6.6")}, 512));
      send(query);  // an echo is no answer
      send(good);
    }
  });
  add(true);
  std::string answer = ask(make_query("public.example", 1, 0x4242));
  EXPECT_EQ(address_in(answer), "198.51.100.7");
  EXPECT_EQ(dns::id_of(answer), 0x4242);
  ask(make_query("public.example", 1, 0x4242));
  EXPECT_NE(first_id.load(), second_id.load()) << "ids must be random";
  stop = true;
  thread.join();
}

// proves: 94
TEST_F(Dns, SurvivesHostileClientsWithoutSpinning) {
  add(true, {"127.0.0.99"});  // nobody there
  EXPECT_EQ(code(ask(make_query("unknown.example", 1), 5000)), 2u);
  os::in_netns(box_.netns.get(), [&] {
    for (int i = 0; i < 200; ++i) {
      os::Fd socket = connect(SOCK_STREAM);
      std::string bytes = u16(i % 3 == 0 ? 65535 : 40) + make_query("x", 1).substr(0, 15);
      (void)!::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      linger hard{1, 0};  // RST
      ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    os::Fd socket = connect(SOCK_DGRAM);
    for (int i = 0; i < 5000; ++i) {
      std::string bytes(random_u64() % 600, static_cast<char>(random_u64()));
      (void)!::send(socket.get(), bytes.data(), bytes.size(), 0);
    }
  });
  timespec before, after;
  ::usleep(100'000);
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  ::usleep(500'000);
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  EXPECT_LT((after.tv_sec - before.tv_sec) * 1e3 + (after.tv_nsec - before.tv_nsec) / 1e6, 50.0)
      << "busy although nobody asks";
  EXPECT_EQ(address_in(ask(make_query("web", 1))), "10.0.0.3");
}

TEST_F(Dns, GivesTheNamespaceBack) {
  add(true);
  server_.remove("me");
  EXPECT_EQ(ask(make_query("web", 1), 200), "");
}

}  // namespace
}  // namespace proa::network
