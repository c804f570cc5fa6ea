// For the tests: the whole test program runs in a network namespace of its own, so nothing reaches the machine's.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "os/fd.h"
#include "os/netns.h"

namespace proa::network::test {

// "" or why tests that need namespaces are skipped.
const std::string& why_not_root();
#define NEEDS_ROOT() \
  if (!proa::network::test::why_not_root().empty()) GTEST_SKIP() << proa::network::test::why_not_root()

// One line back from whoever listens there (what the server below sends: its greeting), nullopt: no connection within
// 700 ms. Runs inside `netns`.
std::optional<std::string> tcp_ask(int netns, const std::string& address, int port);
std::optional<std::string> udp_ask(int netns, const std::string& address, int port);

// Answers "GREETING PEER_ADDRESS" to TCP connections and UDP packets on a port, inside a namespace, until destroyed.
class Server {
 public:
  Server(int netns, int port, std::string greeting, const std::string& address = "0.0.0.0");
  ~Server();

 private:
  os::Fd tcp_, udp_, stop_read_, stop_write_;
  std::thread thread_;
};

// A machine on the host's wire: address 192.0.2.10, the host is 192.0.2.1.
os::NewNetns make_neighbour();

}  // namespace proa::network::test
