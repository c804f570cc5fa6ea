#include <arpa/inet.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

#include "base/text.h"
#include "http/server.h"
#include "os/socket.h"

namespace proa::http {
namespace {

[[noreturn]] void bad(std::string_view address, std::string_view why) {
  throw Error(ErrorKind::InvalidArgument, cat("cannot listen on ", address, ": ", why));
}

// A daemon that was killed while it spawned a program leaves its socket to that program for a moment, until execve.
bool somebody_listens(std::string_view path) {
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    try {
      os::connect_unix(path, SOCK_STREAM);
    } catch (const Error&) {
      return false;
    }
    timespec pause{0, 10'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return true;
}

os::Fd listen_path(std::string_view path, std::string_view group) {
  if (somebody_listens(path)) bad(cat("unix://", path), "another process listens there");
  // A socket file, if any, is a dead daemon's.
  os::Fd listener = os::listen_unix(path, SOCK_STREAM, 0660);
  if (const ::group* entry = group.empty() ? nullptr : ::getgrnam(std::string(group).c_str())) {
    os::check(::chown(std::string(path).c_str(), static_cast<uid_t>(-1), entry->gr_gid), cat("chown ", path));
  }
  return listener;
}

os::Fd listen_tcp(std::string_view address, std::string_view host_port, Reach reach) {
  std::size_t colon = host_port.rfind(':');
  if (colon == host_port.npos) bad(address, "there is no port");
  std::string host(host_port.substr(0, colon));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  auto port = parse_int<std::uint16_t>(host_port.substr(colon + 1));
  if (!port) bad(address, "invalid port");
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  v4.sin_port = v6.sin6_port = htons(*port);
  bool is_v4 = ::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1;
  if (!is_v4 && ::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) bad(address, "the host must be an IP address");
  bool loopback = is_v4 ? (ntohl(v4.sin_addr.s_addr) >> 24) == 127 : IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
  if (!loopback && reach == Reach::Loopback)
    bad(address, "TCP without mutual TLS is served on loopback addresses only: who can connect is root");
  os::Fd socket(os::check(::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr* name = is_v4 ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
  os::check(::bind(socket.get(), name, is_v4 ? sizeof v4 : sizeof v6), cat("bind ", address));
  os::check(::listen(socket.get(), 1024), cat("listen ", address));
  return socket;
}

// sd_listen_fds(3): descriptors from 3 on, named in LISTEN_FDNAMES.
std::vector<os::Fd> take_passed(std::string_view address, std::string_view wanted) {
  const char *count = ::getenv("LISTEN_FDS"), *names = ::getenv("LISTEN_FDNAMES");
  if (!sockets_were_passed()) bad(address, "no sockets were passed by systemd (socket activation)");
  std::vector<std::string> names_of = split(names ? names : "", ':');
  std::vector<os::Fd> taken;
  for (int i = 0; i < parse_int<int>(count).value_or(0); ++i) {
    auto index = static_cast<std::size_t>(i);
    if (!wanted.empty() && wanted != cat(3 + i) && (index >= names_of.size() || names_of[index] != wanted)) continue;
    os::set_cloexec(3 + i, true);
    taken.emplace_back(3 + i);
  }
  if (taken.empty()) bad(address, "no sockets were passed by systemd (socket activation)");
  return taken;
}

}  // namespace

bool sockets_were_passed() {
  const char *pid = ::getenv("LISTEN_PID"), *count = ::getenv("LISTEN_FDS");
  return pid && count && parse_int<pid_t>(pid) == ::getpid();
}

std::vector<os::Fd> open_listeners(std::string_view address, std::string_view group, Reach reach) {
  std::vector<os::Fd> listeners;
  if (address.starts_with("unix://")) {
    if (address.size() == 7) bad(address, "there is no path");
    listeners.push_back(listen_path(address.substr(7), group));
  } else if (address.starts_with("tcp://")) {
    listeners.push_back(listen_tcp(address, address.substr(6), reach));
  } else if (address.starts_with("fd://")) {
    listeners = take_passed(address, address == "fd://*" ? "" : address.substr(5));
  } else {
    bad(address, "unknown protocol (unix://, tcp:// and fd:// are known)");
  }
  return listeners;
}

}  // namespace proa::http
