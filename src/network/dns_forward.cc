// Questions that the embedded DNS server passes on: to one resolver after another, until one has an answer.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/id.h"
#include "base/time.h"
#include "network/dns_state.h"

namespace proa::network {
namespace {

using dns::Peer;
using dns::Role;

constexpr std::int64_t kTryTime = 3 * kSecond;  // one upstream server

}  // namespace

// Asks server number `base.server` of its client; goes on to the next where that cannot even be sent.
void DnsServer::State::forward(Source base) {
  auto client = clients.find(base.container_id);
  for (; client != clients.end() && base.server < client->second.upstream.size(); ++base.server) {
    const Peer& server = client->second.upstream[base.server];
    bool tcp = base.role == Role::TcpForward;
    base.socket =
        os::Fd(::socket(server.address.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!base.socket) continue;
    // Connected: the kernel chooses a random source port and takes answers from this server alone.
    int result = ::connect(base.socket.get(), reinterpret_cast<const sockaddr*>(&server.address), server.size);
    if (result != 0 && errno != EINPROGRESS) continue;
    base.id = static_cast<std::uint16_t>(random_u64());
    std::string message = base.query;
    dns::set_id(message, base.id);
    base.deadline = monotonic_now() + kTryTime;
    base.in.clear();
    base.out.clear();
    if (tcp) {
      base.out += static_cast<char>(message.size() >> 8);
      base.out += static_cast<char>(message.size() & 0xff);
      base.out += message;
    } else if (::send(base.socket.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) {
      continue;
    }
    watch(std::move(base), tcp ? EPOLLIN | EPOLLOUT : EPOLLIN);
    return;
  }
  fail_forward(base);
}

void DnsServer::State::fail_forward(const Source& source) {
  if (!source.best.empty()) return reply(source.asker, source.best);
  dns::Parsed parsed = dns::parse_query(source.query);
  reply(source.asker, dns::error_answer(source.query, dns::kServerFailure,
                                        parsed.query ? parsed.query->question_end : dns::kHeaderSize));
}

void DnsServer::State::try_next(Key key) {
  auto found = sources.find(key);
  if (found == sources.end()) return;
  Source base = std::move(found->second);
  found->second.role = base.role;
  forget(key);
  ++base.server;
  forward(std::move(base));
}

void DnsServer::State::on_upstream_reply(Key key, std::string message) {
  Source& source = sources.at(key);
  if (!dns::matches(source.query, message, source.id)) return;  // spoofed or late: the right one may still come
  dns::set_id(message, dns::id_of(source.query));
  dns::Code code = dns::code_of(message);
  if (code == dns::kServerFailure || code == dns::kRefused || code == dns::kNotImplemented) {
    source.best = std::move(message);
    return try_next(key);
  }
  Asker asker = source.asker;
  forget(key);
  reply(asker, message);
}

void DnsServer::State::read_udp_forward(Key key) {
  char buffer[65536];
  for (int i = 0; i < 8; ++i) {
    auto found = sources.find(key);
    if (found == sources.end() || found->second.role != Role::UdpForward) return;
    ssize_t size = ::recv(found->second.socket.get(), buffer, sizeof buffer, 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size < 0) return try_next(key);  // port unreachable
    on_upstream_reply(key, std::string(buffer, static_cast<std::size_t>(size)));
  }
}

void DnsServer::State::drive_tcp_forward(Key key, std::uint32_t events) {
  Source& source = sources.at(key);
  if (events & EPOLLERR) return try_next(key);
  if (events & EPOLLOUT) {
    if (!flush(source)) return try_next(key);
    if (source.out.empty()) listen_for(key, EPOLLIN);
  }
  if (!(events & (EPOLLIN | EPOLLHUP))) return;
  char buffer[16384];
  ssize_t size = ::recv(source.socket.get(), buffer, sizeof buffer, 0);
  if (size < 0 && errno == EAGAIN) return;
  if (size <= 0) return try_next(key);
  source.in.append(buffer, static_cast<std::size_t>(size));
  if (source.in.size() < 2) return;
  std::size_t length = static_cast<std::uint8_t>(source.in[0]) << 8 | static_cast<std::uint8_t>(source.in[1]);
  if (source.in.size() < 2 + length) return;
  std::string message = source.in.substr(2, length);
  if (message.size() < dns::kHeaderSize || !dns::matches(source.query, message, source.id)) return try_next(key);
  on_upstream_reply(key, std::move(message));
}

}  // namespace proa::network
