// /etc/hosts, /etc/hostname and /etc/resolv.conf of a container, as text.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace proa::network {

struct HostsInput {
  std::string hostname{}, domainname{};
  std::vector<std::string> addresses{};    // its own, in the order of its interfaces
  std::vector<std::string> extra_hosts{};  // --add-host: "name:address", address may be "host-gateway"
  std::string host_gateway{};              // what that stands for
  std::vector<std::pair<std::string, std::string>> links{};  // --link: address, names
};
// Throws InvalidArgument for a malformed entry, or one with control characters.
std::string render_hosts(const HostsInput& input);
// The container's own lines alone.
std::string render_own_lines(const HostsInput& input);
// --network host: the host's own file with the extra entries behind it.
std::string render_host_mode_hosts(std::string_view host_file, const HostsInput& input);

// A hosts file whose line for the name `first` (the first one of a line) has this address.
std::string with_address(std::string_view hosts, std::string_view first, std::string_view address);

std::string render_hostname(std::string_view hostname);

enum class Resolver { Host, Default, Embedded };  // --network host; the default bridge or none; user-defined networks
struct ResolvInput {
  Resolver resolver = Resolver::Default;
  std::string host_file{};                              // the host's resolv.conf
  std::vector<std::string> dns{}, search{}, options{};  // --dns, --dns-search, --dns-opt
};
std::string render_resolv_conf(const ResolvInput& input);

// The nameservers a resolv.conf names.
std::vector<std::string> nameservers(std::string_view resolv_conf);
// The host's resolv.conf; where that is systemd-resolved's stub, the file behind it.
std::string host_resolv_conf();

}  // namespace proa::network
