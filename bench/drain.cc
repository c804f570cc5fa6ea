// A client that only receives: so many connections ask for one path again and again for so many seconds, and what comes
// is thrown away without being copied (MSG_TRUNC, tcp(7)), so that the server is measured and not its client.
//
//   drain PORT PATH CONNECTIONS SECONDS      prints the bytes of a second
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kMost = 4 << 20;

struct Connection {
  int fd = -1;
  std::uint64_t left = 0;  // of the body
  bool in_head = false;
};

void ask(Connection& connection, const std::string& request) {
  if (::send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    throw std::runtime_error("send failed");
  connection.in_head = true;
}

// False: the head is not there yet.
bool read_head(Connection& connection) {
  char text[8192];
  ssize_t size = ::recv(connection.fd, text, sizeof text, MSG_PEEK | MSG_DONTWAIT);
  if (size <= 0) throw std::runtime_error("the server closed the connection");
  std::string_view head(text, static_cast<std::size_t>(size));
  std::size_t end = head.find("\r\n\r\n"), length = head.find("Content-Length: ");
  if (end == head.npos) return false;
  if (!head.starts_with("HTTP/1.1 200 ") || length > end) throw std::runtime_error("the answer is no blob");
  connection.left = std::strtoull(text + length + 16, nullptr, 10);
  connection.in_head = false;
  return ::recv(connection.fd, text, end + 4, 0) == static_cast<ssize_t>(end + 4);
}

// The bytes that were received.
std::uint64_t receive(Connection& connection, const std::string& request) {
  if (connection.in_head && !read_head(connection)) return 0;
  ssize_t got =
      ::recv(connection.fd, nullptr, std::min<std::uint64_t>(connection.left, kMost), MSG_TRUNC | MSG_DONTWAIT);
  if (got == 0) throw std::runtime_error("the server closed the connection");
  if (got < 0) return 0;
  connection.left -= static_cast<std::uint64_t>(got);
  if (connection.left == 0) ask(connection, request);
  return static_cast<std::uint64_t>(got);
}

}  // namespace

int main(int, char** argv) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string request = std::string("GET ") + argv[2] + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  std::vector<Connection> connections(static_cast<std::size_t>(std::atoi(argv[3])));
  int epoll = ::epoll_create1(0);
  for (Connection& one : connections) {
    one.fd = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(one.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return std::perror("connect"), 1;
    epoll_event event{EPOLLIN, {.ptr = &one}};
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, one.fd, &event);
    ask(one, request);
  }
  using Clock = std::chrono::steady_clock;
  auto begin = Clock::now();
  std::chrono::duration<double> passed{};
  std::uint64_t bytes = 0;
  for (; passed.count() < std::atof(argv[4]); passed = Clock::now() - begin) {
    epoll_event events[64];
    int count = ::epoll_wait(epoll, events, 64, 1000);
    for (int i = 0; i < count; ++i) bytes += receive(*static_cast<Connection*>(events[i].data.ptr), request);
  }
  std::printf("%.0f\n", static_cast<double>(bytes) / passed.count());
}
