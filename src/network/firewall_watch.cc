#include "network/firewall_watch.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/log.h"

namespace proa::network {
namespace {

constexpr int kSettleMilliseconds = 100;  // a reload comes as a burst of changes

bool deletes_table(std::string_view bytes, const std::string& table) {
  const std::string wanted = table + '\0';
  while (bytes.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > bytes.size()) return false;
    bool deletion = header.nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE);
    if (deletion && bytes.substr(0, header.nlmsg_len).find(wanted) != std::string_view::npos) return true;
    bytes.remove_prefix(std::min<std::size_t>((header.nlmsg_len + 3) & ~3u, bytes.size()));
  }
  return false;
}

}  // namespace

void FirewallWatch::start(std::string table, std::function<void()> check) {
  if (thread_.joinable()) return;
  events_ = os::Fd(
      os::check(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER), "socket AF_NETLINK"));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1u << (NFNLGRP_NFTABLES - 1);
  os::check(::bind(events_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), "listen to nftables changes");
  stop_ = os::Fd(os::check(::eventfd(0, EFD_CLOEXEC), "eventfd"));
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this, table = std::move(table), check = std::move(check)] { run(table, check); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

FirewallWatch::~FirewallWatch() {
  if (!thread_.joinable()) return;
  std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void FirewallWatch::run(const std::string& table, const std::function<void()>& check) {
  std::string buffer(64 << 10, '\0');
  bool due = false;
  for (;;) {
    pollfd waits[] = {{events_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    int ready = ::poll(waits, 2, due ? kSettleMilliseconds : -1);
    if (ready > 0 && waits[1].revents) return;
    if (ready > 0) {
      ssize_t size = ::recv(events_.get(), buffer.data(), buffer.size(), 0);
      if (size < 0) due = due || errno == ENOBUFS;  // more than we could follow
      if (size > 0) due = due || deletes_table({buffer.data(), static_cast<std::size_t>(size)}, table);
      continue;
    }
    if (ready < 0 || !due) continue;
    due = false;
    try {
      check();
    } catch (const std::exception& error) {
      log::error("the firewall rules could not be restored", {{"table", table}, {"error", error.what()}});
    }
  }
}

}  // namespace proa::network
