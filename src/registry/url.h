// http and https URLs, as far as a registry client needs them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace proa::registry {

struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; an IPv6 address without brackets
  std::uint16_t port = 0;
  std::string target;  // "/v2/?n=1", never empty

  // Throws InvalidArgument; also for any other scheme, user names and passwords in it, and control characters.
  static Url parse(std::string_view text);
  // A Location header, relative to this URL or absolute.
  Url resolve(std::string_view location) const;

  std::string authority() const;  // "host:5000"; the port only where it is not the scheme's own
  std::string text() const;
  std::string without_query() const;  // for people and traces: signed URLs carry their secret in the query
  bool same_origin(const Url& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
  }
};

std::string percent_encode(std::string_view text);  // for a query value

// "127.0.0.1", "::1", "localhost".
bool is_loopback(std::string_view host);
bool is_ip_address(std::string_view host);
bool is_link_local(std::string_view host);
// May a registry on host `a` name a token server on host `b`? The same host, or names below one registrable domain.
bool is_same_site(std::string_view a, std::string_view b);
// Is `host` (of host[:port] `authority`) covered by dockerd's insecure-registries list, or loopback?
bool is_insecure(std::string_view authority, std::string_view host, const std::string& entry);

}  // namespace proa::registry
