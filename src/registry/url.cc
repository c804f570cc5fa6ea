#include "registry/url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace proa::registry {

namespace {

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

[[noreturn]] void refuse(std::string_view url, std::string_view reason) {
  throw Error(ErrorKind::InvalidArgument, cat("invalid URL ", quoted(url.substr(0, 200)), ": ", reason));
}

struct Address {
  int family = 0;
  std::array<std::uint8_t, 16> bytes{};
};

bool parse_address(std::string_view text, Address& out) {
  std::string copy(text);
  if (::inet_pton(AF_INET, copy.c_str(), out.bytes.data()) == 1)
    out.family = AF_INET;
  else if (::inet_pton(AF_INET6, copy.c_str(), out.bytes.data()) == 1)
    out.family = AF_INET6;
  else
    return false;
  return true;
}

bool in_subnet(const Address& address, std::string_view subnet) {
  auto [base_text, bits_text] = cut(subnet, '/');
  Address base;
  auto bits = bits_text ? parse_int<int>(*bits_text) : std::nullopt;
  if (!bits || *bits < 0 || !parse_address(base_text, base) || base.family != address.family) return false;
  if (*bits > (base.family == AF_INET ? 32 : 128)) return false;
  for (int i = 0; i < *bits; ++i) {
    std::uint8_t mask = static_cast<std::uint8_t>(0x80 >> (i % 8));
    if ((address.bytes[static_cast<std::size_t>(i / 8)] ^ base.bytes[static_cast<std::size_t>(i / 8)]) & mask)
      return false;
  }
  return true;
}

// Names and addresses that nobody reads differently: no escapes, nothing beyond ASCII, which libraries translate, and
// no address in another writing ("2130706433", "0x7f.1") that would not be known for what it is.
bool is_host(std::string_view host, bool bracketed) {
  Address address;
  if (parse_address(host, address)) return (address.family == AF_INET6) == bracketed;
  bool sound = std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  });
  if (bracketed || host.empty() || !sound) return false;
  std::string_view whole = host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
  std::string_view last = whole.substr(whole.rfind('.') + 1);
  bool number = last.starts_with("0x") || last.find_first_not_of("0123456789") == last.npos;
  return !number;
}

}  // namespace

Url Url::parse(std::string_view text) {
  if (text.size() > 8192) refuse(text, "too long");
  for (char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f || c == '\\') refuse(text, "bad character");
  }
  std::size_t colon = text.find("://");
  if (colon == text.npos) refuse(text, "no scheme");
  Url url;
  url.scheme = to_lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") refuse(text, "only http and https are allowed");
  std::string_view rest = text.substr(colon + 3);
  std::size_t path = rest.find_first_of("/?#");
  std::string_view authority = rest.substr(0, path);
  url.target = path == rest.npos ? "/" : std::string(rest.substr(path));
  if (std::size_t fragment = url.target.find('#'); fragment != std::string::npos) url.target.resize(fragment);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  if (authority.find('@') != authority.npos) refuse(text.substr(0, colon), "user name in it");
  std::string_view port;
  if (authority.starts_with('[')) {
    std::size_t end = authority.find(']');
    if (end == authority.npos) refuse(text, "bad host");
    url.host = to_lower(authority.substr(1, end - 1));
    std::string_view after = authority.substr(end + 1);
    if (!after.empty() && after[0] != ':') refuse(text, "bad host");
    if (!after.empty()) port = after.substr(1);
    if (!is_host(url.host, true)) refuse(text, "bad host");
  } else {
    auto [name, digits] = cut(authority, ':');
    url.host = to_lower(name);
    port = digits.value_or("");
    if (url.host.empty()) refuse(text, "no host");
    if (!is_host(url.host, false)) refuse(text, "bad host");
  }
  url.port = default_port(url.scheme);
  if (!port.empty()) {
    auto number = parse_int<std::uint16_t>(port);
    if (!number || *number == 0) refuse(text, "bad port");
    url.port = *number;
  }
  return url;
}

Url Url::resolve(std::string_view location) const {
  if (location.find("://") != location.npos && location.find("://") < location.find_first_of("/?#"))
    return parse(location);
  if (location.starts_with("//")) return parse(cat(scheme, ":", location));
  std::string origin = cat(scheme, "://", authority());
  if (location.starts_with('/')) return parse(cat(origin, location));
  if (location.substr(0, location.find_first_of("/?#")).find(':') != location.npos)
    return parse(location);  // another scheme
  std::string_view path = std::string_view(target).substr(0, target.find('?'));
  if (location.starts_with('?')) return parse(cat(origin, path, location));
  return parse(cat(origin, path.substr(0, path.rfind('/') + 1), location));
}

std::string Url::authority() const {
  std::string name = host.find(':') == std::string::npos ? host : cat("[", host, "]");
  return port == default_port(scheme) ? name : cat(name, ":", port);
}

std::string Url::text() const { return cat(scheme, "://", authority(), target); }
std::string Url::without_query() const { return cat(scheme, "://", authority(), target.substr(0, target.find('?'))); }

std::string percent_encode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : text) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::strchr("-._~", c)) {
      out += static_cast<char>(c);
    } else {
      out += '%';
      out += kHex[c >> 4];
      out += kHex[c & 15];
    }
  }
  return out;
}

bool is_ip_address(std::string_view host) {
  Address address;
  return parse_address(host, address);
}

bool is_loopback(std::string_view host) {
  Address address;
  if (!parse_address(host, address)) return host == "localhost" || host.ends_with(".localhost");
  return in_subnet(address, "127.0.0.0/8") || in_subnet(address, "::1/128") ||
         in_subnet(address, "::ffff:127.0.0.0/104");
}

bool is_link_local(std::string_view host) {
  Address address;
  if (!parse_address(host, address)) return false;
  return in_subnet(address, "169.254.0.0/16") || in_subnet(address, "fe80::/10") ||
         in_subnet(address, "::ffff:169.254.0.0/112");
}

bool is_same_site(std::string_view a, std::string_view b) {
  if (a == b) return true;
  if (is_ip_address(a) || is_ip_address(b)) return false;
  std::vector<std::string> left = split(a, '.'), right = split(b, '.');
  std::size_t common = 0;
  while (common < left.size() && common < right.size() &&
         left[left.size() - 1 - common] == right[right.size() - 1 - common]) {
    ++common;
  }
  // No public suffix list here: a two-letter top level under a generic second one ("co.uk") needs one label more.
  constexpr std::array<std::string_view, 8> kGeneric = {"co", "com", "org", "net", "gov", "edu", "ac", "or"};
  std::size_t needed = 2;
  if (left.size() >= 2 && left.back().size() == 2 &&
      std::find(kGeneric.begin(), kGeneric.end(), left[left.size() - 2]) != kGeneric.end()) {
    needed = 3;
  }
  return common >= needed;
}

bool is_insecure(std::string_view authority, std::string_view host, const std::string& entry) {
  if (iequals(entry, authority) || iequals(entry, host)) return true;
  Address address;
  return parse_address(host, address) && in_subnet(address, entry);
}

}  // namespace proa::registry
