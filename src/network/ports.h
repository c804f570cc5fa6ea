// Host ports: who has which, and which one is free.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "network/records.h"

namespace proa::network {

// Throws Internal with docker's text if a program of the host has the port: it tries to bind it, in the calling
// thread's network namespace.
void check_host_port(const PortBinding& binding);

class PortTable {
 public:
  // docker's range for ports that nobody named; from net.ipv4.ip_local_port_range.
  PortTable(std::uint16_t first = 32768, std::uint16_t last = 60999) : first_(first), last_(last), next_(first) {}

  // Reserves all or none. `endpoint` is put into the text: "driver failed programming external connectivity on
  // endpoint NAME (ID): Bind for 0.0.0.0:80 failed: port is already allocated".
  // `default_host_ips`: where a port goes for which no host address was named, under one number on all of them.
  std::vector<PortBinding> reserve(std::span<const PortMapping> wanted, std::span<const std::string> default_host_ips,
                                   std::string_view endpoint);
  void take(std::span<const PortBinding> bindings);  // those of a container that was running before us
  void give_back(std::span<const PortBinding> bindings);

 private:
  using Key = std::tuple<std::string, std::uint16_t>;  // protocol, port
  bool is_free(const PortBinding& binding) const;
  bool try_port(std::span<PortBinding> bindings, std::uint16_t port, std::string& reason);
  bool claim(std::span<PortBinding> bindings, const PortMapping& mapping, std::string& reason);
  std::uint16_t first_, last_, next_;
  std::multimap<Key, std::string> used_;  // -> host address
};

}  // namespace proa::network
