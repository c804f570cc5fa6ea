#include "network/dns.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/id.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "network/dns_message.h"
#include "network/dns_state.h"
#include "os/nftables.h"

namespace proa::network {
namespace {

using dns::Asker;
using dns::Client;
using dns::Key;
using dns::kNever;
using dns::kStopKey;
using dns::Peer;
using dns::Role;
using dns::Source;

constexpr int kPort = 53;
constexpr std::uint32_t kHome = 0x7f00000b;  // 127.0.0.11
constexpr std::size_t kMaxForwards = 1024, kMaxConnections = 256;
constexpr std::int64_t kConnectionTime = 10 * kSecond;  // a TCP client, between its messages
constexpr int kDatagramsPerTurn = 64;                   // so that one busy container does not starve the rest
constexpr std::int64_t kRetryAccept = kSecond;          // after running out of descriptors
constexpr std::uint32_t kNoEvents = 0, kReadable = EPOLLIN, kWritable = EPOLLOUT;
constexpr std::size_t kMaxServers = 3;  // as in resolv.conf(5)

std::optional<Peer> to_peer(const std::string& text) {
  auto address = os::IpAddress::parse(text);
  if (!address) return std::nullopt;
  Peer peer;
  if (address->is_v4()) {
    auto* in = reinterpret_cast<sockaddr_in*>(&peer.address);
    in->sin_family = AF_INET;
    in->sin_port = htons(kPort);
    std::memcpy(&in->sin_addr, address->bytes(), 4);
    peer.size = sizeof *in;
  } else {
    auto* in = reinterpret_cast<sockaddr_in6*>(&peer.address);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(kPort);
    std::memcpy(&in->sin6_addr, address->bytes(), 16);
    peer.size = sizeof *in;
  }
  return peer;
}

}  // namespace

DnsSockets open_dns_sockets() {
  DnsSockets sockets;
  for (auto [socket, type] : {std::pair{&sockets.udp, SOCK_DGRAM}, std::pair{&sockets.tcp, SOCK_STREAM}}) {
    *socket = os::Fd(os::check(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
  }
  sockets.rules = std::make_unique<os::NetlinkSocket>(NETLINK_NETFILTER);
  return sockets;
}

namespace {

// Binds to a port that the kernel chooses; returns it.
std::uint16_t bind_at_home(const os::Fd& socket) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(kHome);
  os::check(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), "bind 127.0.0.11");
  socklen_t size = sizeof address;
  os::check(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  return ntohs(address.sin_port);
}

void listen_at_home(const DnsSockets& sockets) {
  const os::IpAddress home = os::IpAddress::v4(kHome);
  std::uint16_t udp = bind_at_home(sockets.udp), tcp = bind_at_home(sockets.tcp);
  os::check(::listen(sockets.tcp.get(), 64), "listen on 127.0.0.11");
  const os::NftPortShift shifts[] = {{IPPROTO_UDP, home, kPort, udp}, {IPPROTO_TCP, home, kPort, tcp}};
  in_context("lead 127.0.0.11:53 to the embedded DNS",
             [&] { os::nft_shift_ports(*sockets.rules, "proa_dns", shifts); });
}

}  // namespace

void DnsServer::State::start() {
  if (thread.joinable()) return;
  epoll = os::Fd(os::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
  stop = os::Fd(os::check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kStopKey;
  os::check(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, stop.get(), &event), "epoll_ctl");
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "dns");
    run();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void DnsServer::State::run() {
  for (;;) {
    std::int64_t next = kNever;
    {
      std::lock_guard guard(mutex);
      if (!timers.empty()) next = timers.begin()->first;
    }
    std::int64_t wait = next == kNever ? -1 : std::max<std::int64_t>(0, (next - monotonic_now()) / kMillisecond + 1);
    epoll_event events[64];
    int count = ::epoll_wait(epoll.get(), events, 64, static_cast<int>(std::min<std::int64_t>(wait, 60'000)));
    std::lock_guard guard(mutex);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kStopKey) return;
      try {
        on_event(events[i].data.u64, events[i].events);
      } catch (const std::exception& error) {
        // One client's trouble (no memory, no descriptors) ends that exchange, not the server.
        log::warn("embedded DNS", {{"error", error.what()}});
        auto source = sources.find(events[i].data.u64);
        if (source != sources.end() && source->second.role != Role::UdpListener &&
            source->second.role != Role::TcpListener)
          forget(source->first);
      }
    }
    std::int64_t time = monotonic_now();
    while (!timers.empty() && timers.begin()->first <= time) {
      Key key = timers.begin()->second;
      set_deadline(key, kNever);
      on_deadline(key);
    }
  }
}

Key DnsServer::State::watch(Source source, std::uint32_t events) {
  Key key = next_key++;
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  os::check(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, source.socket.get(), &event), "epoll_ctl");
  if (source.role == Role::Connection) ++connections;
  if (source.role == Role::UdpForward || source.role == Role::TcpForward) ++forwards;
  std::int64_t deadline = source.deadline;
  source.deadline = kNever;
  sources.emplace(key, std::move(source));
  set_deadline(key, deadline);
  return key;
}

void DnsServer::State::set_deadline(Key key, std::int64_t deadline) {
  Source& source = sources.at(key);
  if (source.deadline != kNever) timers.erase({source.deadline, key});
  source.deadline = deadline;
  if (deadline != kNever) timers.emplace(deadline, key);
}

void DnsServer::State::listen_for(Key key, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  os::check(::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, sources.at(key).socket.get(), &event), "epoll_ctl");
}

void DnsServer::State::forget(Key key) {
  auto found = sources.find(key);
  if (found == sources.end()) return;
  if (found->second.role == Role::Connection) --connections;
  if (found->second.role == Role::UdpForward || found->second.role == Role::TcpForward) --forwards;
  if (found->second.deadline != kNever) timers.erase({found->second.deadline, key});
  sources.erase(found);  // closing the socket takes it out of the epoll set
}

void DnsServer::State::on_event(Key key, std::uint32_t events) {
  auto found = sources.find(key);
  if (found == sources.end()) return;  // gone since
  switch (found->second.role) {
    case Role::UdpListener:
      return read_datagrams(key);
    case Role::TcpListener:
      return accept_clients(key);
    case Role::Connection:
      return serve_connection(key, events);
    case Role::UdpForward:
      return read_udp_forward(key);
    case Role::TcpForward:
      return drive_tcp_forward(key, events);
  }
}

void DnsServer::State::on_deadline(Key key) {
  auto found = sources.find(key);
  if (found == sources.end()) return;
  if (found->second.role == Role::Connection) return forget(key);
  if (found->second.role == Role::TcpListener) return listen_for(key, EPOLLIN);
  try_next(key);
}

void DnsServer::State::read_datagrams(Key key) {
  char buffer[4096];
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    auto found = sources.find(key);
    if (found == sources.end()) return;
    Asker asker{key, false, {}};
    ssize_t size = ::recvfrom(found->second.socket.get(), buffer, sizeof buffer, 0,
                              reinterpret_cast<sockaddr*>(&asker.peer.address), &asker.peer.size);
    if (size < 0) return;  // drained; errors of earlier answers end here as well
    std::string container_id = found->second.container_id;
    handle(container_id, {buffer, static_cast<std::size_t>(size)}, asker);
  }
}

void DnsServer::State::accept_clients(Key key) {
  Source& listener = sources.at(key);
  os::Fd socket(::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
    // The connection stays in the queue and would wake us at once, again and again.
    listen_for(key, 0);
    return set_deadline(key, monotonic_now() + kRetryAccept);
  }
  if (!socket || connections >= kMaxConnections) return;
  Source connection{Role::Connection, std::move(socket), listener.container_id};
  connection.deadline = monotonic_now() + kConnectionTime;
  watch(std::move(connection), EPOLLIN);
}

bool DnsServer::State::flush(Source& source) {
  while (!source.out.empty()) {
    ssize_t sent = ::send(source.socket.get(), source.out.data(), source.out.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    source.out.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

void DnsServer::State::serve_connection(Key key, std::uint32_t events) {
  Source& connection = sources.at(key);
  if ((events & (EPOLLERR | EPOLLHUP)) || !flush(connection)) return forget(key);
  if ((events & EPOLLOUT) && connection.out.empty()) listen_for(key, connection.half_closed ? kNoEvents : kReadable);
  char buffer[4096];
  ssize_t size = connection.half_closed ? -1 : ::recv(connection.socket.get(), buffer, sizeof buffer, 0);
  if (size < 0) return connection.half_closed || errno == EAGAIN ? close_when_idle(key) : forget(key);
  if (size == 0) {
    connection.half_closed = true;
    listen_for(key, connection.out.empty() ? kNoEvents : kWritable);
    return close_when_idle(key);
  }
  connection.in.append(buffer, static_cast<std::size_t>(size));
  std::string container_id = connection.container_id;
  for (auto found = sources.find(key); found != sources.end(); found = sources.find(key)) {
    std::string& in = found->second.in;
    if (in.size() < 2) return;
    std::size_t length = static_cast<std::uint8_t>(in[0]) << 8 | static_cast<std::uint8_t>(in[1]);
    if (length < dns::kHeaderSize) return forget(key);
    if (in.size() < 2 + length) return;
    std::string message = in.substr(2, length);
    in.erase(0, 2 + length);
    set_deadline(key, monotonic_now() + kConnectionTime);
    handle(container_id, message, Asker{key, true, {}});
  }
}

// A half-closed connection lives until its last answer is written.
void DnsServer::State::close_when_idle(Key key) {
  auto found = sources.find(key);
  if (found == sources.end() || !found->second.half_closed || !found->second.out.empty()) return;
  for (const auto& [other, source] : sources) {
    if (source.role == Role::TcpForward && source.asker.key == key) return;
  }
  forget(key);
}

void DnsServer::State::reply(const Asker& asker, std::string_view message) {
  auto found = sources.find(asker.key);
  if (found == sources.end() || message.size() > dns::kMaxMessage) return;
  Source& source = found->second;
  if (!asker.tcp) {
    ::sendto(source.socket.get(), message.data(), message.size(), MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&asker.peer.address), asker.peer.size);
    return;
  }
  if (source.out.size() > dns::kMaxMessage) return forget(asker.key);  // it asks, but does not read
  source.out += static_cast<char>(message.size() >> 8);
  source.out += static_cast<char>(message.size() & 0xff);
  source.out += message;
  if (!flush(source)) return forget(asker.key);
  listen_for(asker.key, (source.half_closed ? kNoEvents : kReadable) | (source.out.empty() ? kNoEvents : kWritable));
  close_when_idle(asker.key);
}

std::optional<std::string> DnsServer::State::local_answer(const std::string& container_id, std::string_view message,
                                                          const dns::Query& query, std::size_t limit) {
  if (query.type == dns::kPtr) {
    auto address = dns::reverse_address(query.name);
    auto name = address ? names.reverse(container_id, *address) : std::nullopt;
    return name ? std::optional(dns::pointer_answer(message, query, *name, limit)) : std::nullopt;
  }
  Names::Addresses found = names.lookup(container_id, query.name);
  if (!found.known) return std::nullopt;
  std::vector<os::IpAddress> addresses;
  if (query.type == dns::kA) addresses = found.ipv4;
  if (query.type == dns::kAaaa) addresses = found.ipv6;
  if (addresses.size() > 1)
    std::rotate(addresses.begin(), addresses.begin() + static_cast<std::ptrdiff_t>(random_u64() % addresses.size()),
                addresses.end());
  return dns::address_answer(message, query, addresses, limit);
}

void DnsServer::State::handle(const std::string& container_id, std::string_view message, const Asker& asker) {
  dns::Parsed parsed = dns::parse_query(message);
  if (parsed.drop) return;
  if (!parsed.query) return reply(asker, dns::error_answer(message, parsed.fault));
  const dns::Query& query = *parsed.query;
  std::size_t limit = asker.tcp ? dns::kMaxMessage : query.payload_size;
  if (auto answer = local_answer(container_id, message, query, limit)) return reply(asker, *answer);
  auto client = clients.find(container_id);
  if (client == clients.end()) return;
  // An internal network says nothing to the outside, not even a name (CVE-2024-29018).
  if (!client->second.forward) return reply(asker, dns::error_answer(message, dns::kNoName, query.question_end));
  if (client->second.upstream.empty() || forwards >= kMaxForwards) {
    return reply(asker, dns::error_answer(message, dns::kServerFailure, query.question_end));
  }
  Source base{asker.tcp ? Role::TcpForward : Role::UdpForward, os::Fd(), container_id};
  base.asker = asker;
  base.query = message;
  forward(std::move(base));
}

DnsServer::DnsServer() : state_(std::make_unique<State>()) {}

DnsServer::~DnsServer() {
  if (!state_->thread.joinable()) return;
  std::uint64_t one = 1;
  (void)!::write(state_->stop.get(), &one, sizeof one);
  state_->thread.join();
}

void DnsServer::add(DnsClient client) {
  listen_at_home(client.sockets);
  std::lock_guard guard(state_->mutex);
  state_->start();
  Client kept;
  kept.container_id = client.container_id;
  kept.forward = client.forward;
  for (const std::string& server : client.upstream) {
    if (auto peer = to_peer(server); peer && kept.upstream.size() < kMaxServers) kept.upstream.push_back(*peer);
  }
  state_->watch({Role::UdpListener, std::move(client.sockets.udp), client.container_id}, EPOLLIN);
  state_->watch({Role::TcpListener, std::move(client.sockets.tcp), client.container_id}, EPOLLIN);
  kept.rules = std::move(client.sockets.rules);
  state_->clients.insert_or_assign(client.container_id, std::move(kept));
}

void DnsServer::set_forward(std::string_view container_id, bool forward) {
  std::lock_guard guard(state_->mutex);
  auto client = state_->clients.find(container_id);
  if (client != state_->clients.end()) client->second.forward = forward;
}

void DnsServer::remove(std::string_view container_id) {
  std::unique_ptr<os::NetlinkSocket> rules;  // closed after the lock is released
  std::lock_guard guard(state_->mutex);
  auto client = state_->clients.find(container_id);
  if (client == state_->clients.end()) return;
  rules = std::move(client->second.rules);
  state_->clients.erase(client);
  // Its listeners, and what is under way for it: these descriptors hold its namespace.
  std::vector<Key> keys;
  for (const auto& [key, source] : state_->sources) {
    if (source.container_id == container_id) keys.push_back(key);
  }
  for (Key key : keys) state_->forget(key);
}

void DnsServer::with_names(const std::function<void(Names&)>& change) {
  std::lock_guard guard(state_->mutex);
  change(state_->names);
}

}  // namespace proa::network
