#include "engine/etc_changes.h"

#include "base/text.h"
#include "engine/config.h"
#include "engine/rooms.h"
#include "os/file.h"

namespace proa::engine {
namespace {

// In place: the container has this very file mounted. One that is not there is another's, or the host's.
void change(const Rooms& rooms, const Definition& definition, std::string_view name,
            const std::function<std::string(const std::string&)>& f) {
  std::string path = os::path_join(os::path_join(rooms.containers_dir, definition.id), name);
  auto before = os::try_read_file(path);
  if (!before) return;
  std::string after = f(*before);
  if (after != *before) os::write_file(path, after, 0644);
}

}  // namespace

network::ResolvInput resolv_input(const Rooms& rooms, const api::HostConfig& host, network::Resolver resolver) {
  network::ResolvInput out;
  out.resolver = resolver;
  out.host_file = network::host_resolv_conf();
  out.dns = host.dns.empty() ? rooms.config->dns : host.dns;
  out.search = host.dns_search.empty() ? rooms.config->dns_search : host.dns_search;
  out.options = host.dns_options.empty() ? rooms.config->dns_options : host.dns_options;
  return out;
}

void note_connected(const Rooms& rooms, const Definition& definition, const network::Endpoint& endpoint) {
  network::HostsInput own{.hostname = definition.config.hostname, .domainname = definition.config.domainname};
  for (const std::string& address : {endpoint.ipv4, endpoint.ipv6})
    if (!address.empty()) own.addresses.push_back(address);
  change(rooms, definition, "hosts", [&](const std::string& hosts) { return hosts + network::render_own_lines(own); });
  if (endpoint.dns_names.empty()) return;
  change(rooms, definition, "resolv.conf", [&](const std::string& text) {
    auto rendered = [&](network::Resolver resolver) {
      return network::render_resolv_conf(resolv_input(rooms, definition.host_config, resolver));
    };
    return text == rendered(network::Resolver::Default) ? rendered(network::Resolver::Embedded) : text;
  });
}

void note_disconnected(const Rooms& rooms, const Definition& definition, const network::Endpoint& endpoint) {
  change(rooms, definition, "hosts", [&](const std::string& hosts) {
    std::string out;
    for (const std::string& line : split(hosts, '\n')) {
      std::string_view address = std::string_view(line).substr(0, line.find_first_of(" \t"));
      bool gone = !address.empty() && (address == endpoint.ipv4 || address == endpoint.ipv6);
      if (!gone) out += cat(line, "\n");
    }
    out.pop_back();  // split() sees an empty line behind the last new line
    return out;
  });
}

}  // namespace proa::engine
