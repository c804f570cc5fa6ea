// Sees when somebody else removes our nftables table (`nft flush ruleset`, a firewall's reload), so that what it
// protected does not stay open until the next container starts (security.md, row 91).
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "os/fd.h"

namespace proa::network {

class FirewallWatch {
 public:
  FirewallWatch() = default;
  ~FirewallWatch();
  FirewallWatch(const FirewallWatch&) = delete;
  FirewallWatch& operator=(const FirewallWatch&) = delete;

  // `check` runs on a thread of its own, a moment after a table of this name was deleted by anyone, ourselves included.
  void start(std::string table, std::function<void()> check);

 private:
  void run(const std::string& table, const std::function<void()>& check);
  os::Fd events_, stop_;
  std::thread thread_;
};

}  // namespace proa::network
