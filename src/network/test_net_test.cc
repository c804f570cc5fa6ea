#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "base/text.h"
#include "network/test_net.h"

namespace proa::network::test {
namespace {

std::string g_why_not = "needs root for network namespaces";

class OwnNamespace : public ::testing::Environment {
 public:
  void SetUp() override {
    if (::geteuid() != 0) return;
    if (::unshare(CLONE_NEWNET) != 0) {
      g_why_not = "cannot make a network namespace here";
      return;
    }
    os::NetlinkSocket socket(NETLINK_ROUTE);
    os::NetlinkBatch batch;
    set_link_up(batch, 1);
    socket.execute(batch);
    g_why_not = "";
  }
};
[[maybe_unused]] auto* const g_environment = ::testing::AddGlobalTestEnvironment(new OwnNamespace);

sockaddr_in to_sockaddr(const std::string& address, int port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, address.c_str(), &in.sin_addr);
  return in;
}

std::optional<std::string> ask(int netns, int type, const std::string& address, int port) {
  std::optional<std::string> answer;
  os::in_netns(netns, [&] {
    os::Fd socket(os::check(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
    sockaddr_in to = to_sockaddr(address, port);
    int result = ::connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to);
    if (result != 0 && errno != EINPROGRESS) return;
    if (type == SOCK_DGRAM && ::send(socket.get(), "?", 1, 0) != 1) return;
    pollfd wait{socket.get(), POLLIN, 0};
    if (::poll(&wait, 1, 700) != 1) return;
    char buffer[256];
    ssize_t size = ::recv(socket.get(), buffer, sizeof buffer, 0);
    if (size > 0) answer = std::string(buffer, static_cast<std::size_t>(size));
  });
  return answer;
}

}  // namespace

const std::string& why_not_root() { return g_why_not; }

std::optional<std::string> tcp_ask(int netns, const std::string& address, int port) {
  return ask(netns, SOCK_STREAM, address, port);
}
std::optional<std::string> udp_ask(int netns, const std::string& address, int port) {
  return ask(netns, SOCK_DGRAM, address, port);
}

Server::Server(int netns, int port, std::string greeting, const std::string& address) {
  os::in_netns(netns, [&] {
    tcp_ = os::Fd(os::check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    udp_ = os::Fd(os::check(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
    sockaddr_in at = to_sockaddr(address, port);
    int on = 1;
    ::setsockopt(tcp_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    os::check(::bind(tcp_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), "bind tcp");
    os::check(::listen(tcp_.get(), 16), "listen");
    os::check(::bind(udp_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), "bind udp");
  });
  std::tie(stop_read_, stop_write_) = os::make_pipe();
  thread_ = std::thread([this, greeting] {
    for (;;) {
      pollfd waits[] = {{tcp_.get(), POLLIN, 0}, {udp_.get(), POLLIN, 0}, {stop_read_.get(), POLLIN, 0}};
      if (::poll(waits, 3, -1) < 0) continue;
      if (waits[2].revents) return;
      sockaddr_in from{};
      socklen_t size = sizeof from;
      auto answer = [&] { return cat(greeting, " ", ::inet_ntoa(from.sin_addr)); };
      if (waits[0].revents) {
        os::Fd connection(::accept(tcp_.get(), reinterpret_cast<sockaddr*>(&from), &size));
        std::string text = answer();
        if (connection) (void)!::write(connection.get(), text.data(), text.size());
      }
      if (waits[1].revents) {
        char buffer[64];
        if (::recvfrom(udp_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size) < 0) continue;
        std::string text = answer();
        ::sendto(udp_.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
      }
    }
  });
}

Server::~Server() {
  stop_write_.reset();
  thread_.join();
}

os::NewNetns make_neighbour() {
  os::NewNetns neighbour = os::make_netns();
  os::NetlinkSocket host(NETLINK_ROUTE);
  os::NetlinkBatch batch;
  static int count = 0;
  std::string name = cat("wire", count++);
  add_veth(batch, {.name = name, .peer_name = "wire", .peer_netns = neighbour.netns.get()});
  set_link_up(batch, name);
  host.execute(batch);
  int index = find_link(*neighbour.route, "wire")->index;
  os::NetlinkBatch inner;
  add_address(inner, index, *os::IpPrefix::parse("192.0.2.10/24"));
  set_link_up(inner, 1);
  set_link_up(inner, index);
  add_default_route(inner, *os::IpAddress::parse("192.0.2.1"), index);
  neighbour.route->execute(inner);
  os::NetlinkBatch outer;
  settle_link(outer, name);
  add_address(outer, find_link(host, name)->index, *os::IpPrefix::parse("192.0.2.1/24"));
  host.execute(outer);
  return neighbour;
}

}  // namespace proa::network::test
