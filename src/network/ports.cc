#include "network/ports.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "os/fd.h"
#include "os/ip_address.h"

namespace proa::network {
namespace {

bool is_any(std::string_view host_ip) { return host_ip == "0.0.0.0" || host_ip == "::"; }
bool is_v6(std::string_view host_ip) { return host_ip.find(':') != std::string_view::npos; }

std::string host_and_port(const PortBinding& binding) {
  return is_v6(binding.host_ip) ? cat("[", binding.host_ip, "]:", binding.host_port)
                                : cat(binding.host_ip, ":", binding.host_port);
}

// Two bindings of one port and protocol exclude each other.
bool clash(std::string_view a, std::string_view b) {
  if (is_v6(a) != is_v6(b)) return false;
  return is_any(a) || is_any(b) || a == b;
}

}  // namespace

void check_host_port(const PortBinding& binding) {
  auto address = os::IpAddress::parse(binding.host_ip);
  if (!address) throw Error(ErrorKind::InvalidArgument, cat("invalid host address ", quoted(binding.host_ip)));
  int type = SOCK_STREAM, protocol = IPPROTO_TCP;
  if (binding.protocol == "udp") type = SOCK_DGRAM, protocol = IPPROTO_UDP;
  if (binding.protocol == "sctp") protocol = IPPROTO_SCTP;
  os::Fd socket(::socket(address->is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, protocol));
  if (!socket) {
    if (errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT || errno == EAFNOSUPPORT)
      return;  // then nobody listens either
    os::fail("socket");
  }
  int on = 1;
  // Connections in TIME_WAIT of whoever had the port before us are no obstacle; listeners still are.
  if (type == SOCK_STREAM) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage storage{};
  socklen_t size;
  if (address->is_v4()) {
    auto* in = reinterpret_cast<sockaddr_in*>(&storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(binding.host_port);
    std::memcpy(&in->sin_addr, address->bytes(), 4);
    size = sizeof *in;
  } else {
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    auto* in = reinterpret_cast<sockaddr_in6*>(&storage);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(binding.host_port);
    std::memcpy(&in->sin6_addr, address->bytes(), 16);
    size = sizeof *in;
  }
  int result = ::bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), size);
  if (result == 0 && type == SOCK_STREAM) result = ::listen(socket.get(), 1);
  if (result == 0) return;
  int code = errno;
  std::string_view family = address->is_v4() ? "4" : "6";
  throw Error(ErrorKind::Internal,
              cat("listen ", binding.protocol, family, " ", host_and_port(binding), ": bind: ", os::errno_text(code)),
              code);
}

bool PortTable::is_free(const PortBinding& binding) const {
  auto [begin, end] = used_.equal_range(Key{binding.protocol, binding.host_port});
  return std::none_of(begin, end, [&](const auto& entry) { return clash(entry.second, binding.host_ip); });
}

// Marks the port on all of the addresses. False, with the reason, where one of them has it in use.
bool PortTable::try_port(std::span<PortBinding> bindings, std::uint16_t port, std::string& reason) {
  for (PortBinding& binding : bindings) {
    binding.host_port = port;
    if (!is_free(binding)) {
      reason = cat("Bind for ", host_and_port(binding), " failed: port is already allocated");
      return false;
    }
    try {
      check_host_port(binding);
    } catch (const Error& error) {
      if (error.errno_code() != EADDRINUSE) throw;
      reason = error.message();
      return false;
    }
  }
  take(bindings);
  return true;
}

// Finds a port for one mapping and marks it. False, with the reason, where there is none.
bool PortTable::claim(std::span<PortBinding> bindings, const PortMapping& mapping, std::string& reason) {
  const bool chosen = mapping.host_port == 0;
  const std::uint32_t first = chosen ? first_ : mapping.host_port;
  const std::uint32_t last = chosen ? last_ : std::max(mapping.host_port, mapping.host_port_end);
  const std::uint32_t count = last - first + 1;
  const std::uint32_t offset = chosen ? next_ - first_ : 0u;
  for (std::uint32_t i = 0; i < count; ++i) {
    auto port = static_cast<std::uint16_t>(first + (offset + i) % count);
    if (!try_port(bindings, port, reason)) continue;
    if (chosen) next_ = port == last_ ? first_ : static_cast<std::uint16_t>(port + 1);
    return true;
  }
  if (chosen) reason = "all ports are allocated";
  return false;
}

std::vector<PortBinding> PortTable::reserve(std::span<const PortMapping> wanted,
                                            std::span<const std::string> default_host_ips, std::string_view endpoint) {
  std::vector<PortBinding> done;
  done.reserve(wanted.size());
  auto refuse = [&](const std::string& reason) {
    give_back(done);
    throw Error(ErrorKind::Internal,
                cat("driver failed programming external connectivity on endpoint ", endpoint, ": ", reason));
  };
  for (const PortMapping& mapping : wanted) {
    std::vector<PortBinding> bindings;
    for (const std::string& host_ip :
         mapping.host_ip.empty() ? default_host_ips : std::span<const std::string>(&mapping.host_ip, 1)) {
      PortBinding& binding = bindings.emplace_back();
      binding.host_ip = host_ip;
      binding.container_port = mapping.container_port;
      binding.protocol = mapping.protocol.empty() ? "tcp" : mapping.protocol;
    }
    std::string reason;
    try {
      if (claim(bindings, mapping, reason)) {
        std::ranges::move(bindings, std::back_inserter(done));
        continue;
      }
    } catch (const Error& error) {
      reason = error.message();
    }
    refuse(reason);
  }
  return done;
}

void PortTable::take(std::span<const PortBinding> bindings) {
  for (const PortBinding& binding : bindings) used_.emplace(Key{binding.protocol, binding.host_port}, binding.host_ip);
}

void PortTable::give_back(std::span<const PortBinding> bindings) {
  for (const PortBinding& binding : bindings) {
    auto [begin, end] = used_.equal_range(Key{binding.protocol, binding.host_port});
    auto found = std::find_if(begin, end, [&](const auto& entry) { return entry.second == binding.host_ip; });
    if (found != end) used_.erase(found);
  }
}

}  // namespace proa::network
