// What DnsServer knows. Private to dns.cc, the containers' side, and dns_forward.cc, the side of the resolvers outside.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "network/dns.h"
#include "network/dns_message.h"

namespace proa::network {
namespace dns {

struct Peer {
  sockaddr_storage address{};
  socklen_t size = sizeof(sockaddr_storage);
};

using Key = std::uint64_t;
inline constexpr Key kStopKey = 0;
inline constexpr std::int64_t kNever = INT64_MAX;

// Where an answer goes.
struct Asker {
  Key key = 0;  // of the UDP listener or of the TCP connection
  bool tcp = false;
  Peer peer;  // UDP
};

struct Client {
  std::string container_id;
  std::vector<Peer> upstream;
  bool forward = true;
  std::unique_ptr<os::NetlinkSocket> rules;
};

enum class Role { UdpListener, TcpListener, Connection, UdpForward, TcpForward };

struct Source {
  Role role;
  os::Fd socket;
  std::string container_id;
  std::int64_t deadline = kNever;
  std::string in{}, out{};   // TCP: bytes read, bytes to write
  bool half_closed = false;  // TCP: the asker has sent all it will, and waits for the answer
  // Forwards:
  Asker asker{};
  std::string query{};  // as the asker sent it
  std::uint16_t id = 0;
  std::size_t server = 0;  // which one is being asked
  std::string best{};      // the last refusal, in case no other server knows better
};

}  // namespace dns

struct DnsServer::State {
  using Key = dns::Key;
  using Asker = dns::Asker;
  using Client = dns::Client;
  using Source = dns::Source;

  std::mutex mutex;  // all but epoll_wait happens under it, and none of that blocks
  Names names;
  std::map<std::string, Client, std::less<>> clients;
  std::map<Key, Source> sources;
  std::set<std::pair<std::int64_t, Key>> timers;  // the deadlines of `sources`
  Key next_key = dns::kStopKey + 1;
  std::size_t forwards = 0, connections = 0;
  os::Fd epoll, stop;
  std::thread thread;

  void start();
  void run();
  Key watch(Source source, std::uint32_t events);
  void listen_for(Key key, std::uint32_t events);
  void set_deadline(Key key, std::int64_t deadline);
  void close_when_idle(Key key);
  void forget(Key key);
  void on_event(Key key, std::uint32_t events);
  void on_deadline(Key key);

  void read_datagrams(Key key);
  void accept_clients(Key key);
  void serve_connection(Key key, std::uint32_t events);
  void handle(const std::string& container_id, std::string_view message, const Asker& asker);
  std::optional<std::string> local_answer(const std::string& container_id, std::string_view message,
                                          const dns::Query& query, std::size_t limit);
  void reply(const Asker& asker, std::string_view message);
  bool flush(Source& source);  // false: the peer is gone

  // dns_forward.cc
  void forward(Source base);
  void fail_forward(const Source& source);
  void try_next(Key key);
  void on_upstream_reply(Key key, std::string message);
  void read_udp_forward(Key key);
  void drive_tcp_forward(Key key, std::uint32_t events);
};

}  // namespace proa::network
