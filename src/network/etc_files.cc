#include "network/etc_files.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "os/file.h"
#include "os/ip_address.h"

namespace proa::network {
namespace {

constexpr std::string_view kStandardHosts =
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::\tip6-localnet\n"
    "ff00::\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n";

void require_plain(std::string_view text, std::string_view what) {
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      throw Error(ErrorKind::InvalidArgument,
                  cat("invalid ", what, ": ", quoted(text), " contains a control character"));
    }
  }
}

void require_word(std::string_view text, std::string_view what) {
  require_plain(text, what);
  if (text.empty() || text.find(' ') != std::string_view::npos || text.find('#') != std::string_view::npos) {
    throw Error(ErrorKind::InvalidArgument, cat("invalid ", what, ": ", quoted(text)));
  }
}

// "name:address", "name=address"; IPv6 addresses may stand in brackets.
void append_extra_host(std::string& out, std::string_view entry, std::string_view host_gateway) {
  require_plain(entry, "host entry");
  std::size_t at = entry.find_first_of(":=");
  if (at == std::string_view::npos || at == 0) {
    throw Error(ErrorKind::InvalidArgument, cat("bad format for add-host: ", quoted(entry)));
  }
  std::string_view name = entry.substr(0, at), address = entry.substr(at + 1);
  require_word(name, "host name");
  if (address == "host-gateway") {
    if (host_gateway.empty()) {
      throw Error(ErrorKind::InvalidArgument, "unable to derive the IP value for host-gateway");
    }
    address = host_gateway;
  }
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  if (!os::IpAddress::parse(address)) {
    throw Error(ErrorKind::InvalidArgument, cat("invalid IP address in add-host: ", quoted(address)));
  }
  out += cat(address, "\t", name, "\n");
}

// The fields of a resolv.conf line; comments are none.
std::vector<std::string> fields_of(std::string_view line) {
  std::vector<std::string> fields;
  std::string field;
  for (char c : line) {
    if ((c == '#' || c == ';') && field.empty()) break;
    if (c == ' ' || c == '\t' || c == '\r') {
      if (!field.empty()) fields.push_back(std::move(field));
      field.clear();
    } else {
      field += c;
    }
  }
  if (!field.empty()) fields.push_back(std::move(field));
  return fields;
}

struct Parsed {
  std::vector<std::string> servers, search, options;
};

Parsed parse_resolv(std::string_view text) {
  Parsed parsed;
  for (const std::string& line : split(text, '\n')) {
    std::vector<std::string> fields = fields_of(line);
    if (fields.size() < 2) continue;
    std::vector<std::string> rest(fields.begin() + 1, fields.end());
    if (fields[0] == "nameserver") parsed.servers.push_back(rest[0]);
    if (fields[0] == "search" || fields[0] == "domain") parsed.search = rest;
    if (fields[0] == "options") parsed.options.insert(parsed.options.end(), rest.begin(), rest.end());
  }
  return parsed;
}

bool is_loopback_server(const std::string& server) {
  auto address = os::IpAddress::parse(std::string_view(server).substr(0, server.find('%')));
  return !address || address->is_loopback();
}

void render_lines(std::string& out, const Parsed& parsed) {
  for (const std::string& server : parsed.servers) out += cat("nameserver ", server, "\n");
  if (!parsed.search.empty()) out += cat("search ", join(parsed.search, " "), "\n");
  if (!parsed.options.empty()) out += cat("options ", join(parsed.options, " "), "\n");
}

}  // namespace

std::string render_hosts(const HostsInput& input) {
  std::string out(kStandardHosts);
  for (const std::string& entry : input.extra_hosts) append_extra_host(out, entry, input.host_gateway);
  for (const auto& [address, names] : input.links) {
    require_plain(names, "link");
    out += cat(address, "\t", names, "\n");
  }
  return out + render_own_lines(input);
}

std::string render_own_lines(const HostsInput& input) {
  if (input.hostname.empty()) return "";
  require_word(input.hostname, "hostname");
  std::string names = input.hostname, out;
  if (!input.domainname.empty()) {
    require_word(input.domainname, "domainname");
    names = cat(input.hostname, ".", input.domainname, " ", input.hostname);
  } else if (auto [host, domain] = cut(input.hostname, '.'); domain && !host.empty()) {
    names = cat(input.hostname, " ", host);
  }
  for (const std::string& address : input.addresses) out += cat(address, "\t", names, "\n");
  return out;
}

std::string render_host_mode_hosts(std::string_view host_file, const HostsInput& input) {
  std::string out(host_file);
  if (!out.empty() && out.back() != '\n') out += '\n';
  for (const std::string& entry : input.extra_hosts) append_extra_host(out, entry, input.host_gateway);
  return out;
}

std::string with_address(std::string_view hosts, std::string_view first, std::string_view address) {
  std::string out;
  while (!hosts.empty()) {
    std::size_t end = hosts.find('\n');
    std::string_view line = hosts.substr(0, end == hosts.npos ? hosts.size() : end + 1);
    hosts.remove_prefix(line.size());
    std::vector<std::string> fields = fields_of(line);
    std::size_t blank = line.find_first_of(" \t");
    if (fields.size() > 1 && fields[1] == first && blank > 0)
      out += cat(address, line.substr(blank));
    else
      out += line;
  }
  return out;
}

std::string render_hostname(std::string_view hostname) {
  require_plain(hostname, "hostname");
  return cat(hostname, "\n");
}

std::string render_resolv_conf(const ResolvInput& input) {
  for (const std::string& server : input.dns) {
    require_word(server, "DNS address");
    if (!os::IpAddress::parse(std::string_view(server).substr(0, server.find('%')))) {
      throw Error(ErrorKind::InvalidArgument, cat("bad nameserver address: ", quoted(server)));
    }
  }
  for (const std::string& domain : input.search) require_word(domain, "DNS search domain");
  for (const std::string& option : input.options) require_word(option, "DNS option");

  if (input.resolver == Resolver::Host && input.dns.empty() && input.search.empty() && input.options.empty())
    return input.host_file;
  Parsed parsed = parse_resolv(input.host_file);
  if (!input.dns.empty()) parsed.servers = input.dns;
  // One "." means: no search list at all.
  if (!input.search.empty()) parsed.search = input.search;
  std::erase(parsed.search, ".");
  if (!input.options.empty()) parsed.options = input.options;

  if (input.resolver == Resolver::Embedded) {
    parsed.servers = {"127.0.0.11"};
    bool has_ndots = std::any_of(parsed.options.begin(), parsed.options.end(),
                                 [](const std::string& o) { return o.starts_with("ndots:"); });
    if (!has_ndots) parsed.options.push_back("ndots:0");
  } else if (input.resolver == Resolver::Default && input.dns.empty()) {
    // The host's loopback is not the container's.
    std::erase_if(parsed.servers, is_loopback_server);
    if (parsed.servers.empty()) parsed.servers = {"8.8.8.8", "8.8.4.4"};
  }
  std::string out = "# Generated by Proa.\n";
  render_lines(out, parsed);
  return out;
}

std::vector<std::string> nameservers(std::string_view resolv_conf) { return parse_resolv(resolv_conf).servers; }

std::string host_resolv_conf() {
  constexpr std::size_t kLimit = 1 << 20;
  std::string text = os::try_read_file("/etc/resolv.conf", kLimit).value_or("");
  std::vector<std::string> servers = nameservers(text);
  // systemd-resolved's stub: the servers it asks stand in a file of its own.
  if (servers.size() == 1 && servers[0] == "127.0.0.53") {
    if (auto real = os::try_read_file("/run/systemd/resolve/resolv.conf", kLimit)) return *real;
  }
  return text;
}

}  // namespace proa::network
