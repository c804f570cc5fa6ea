#include "registry/hosts_file.h"

#include <algorithm>

#include "base/text.h"
#include "os/file.h"
#include "registry/toml.h"

namespace proa::registry {

namespace {

constexpr std::size_t kMaxCertificates = 8 << 20;

[[noreturn]] void bad(const std::string& key, std::string_view wanted) {
  throw Error(ErrorKind::InvalidArgument, cat(quoted(key), " must be ", wanted));
}

// A string, or several.
std::vector<std::string> strings_at(const Json& table, const std::string& key) {
  std::vector<std::string> out;
  const Json* value = json::find(table, key);
  if (!value) return out;
  if (value->is_string()) return {std::string(std::string_view(value->get_string()))};
  if (!value->is_array()) bad(key, "a string or a list of strings");
  for (const Json& one : value->get_array()) {
    if (!one.is_string()) bad(key, "a string or a list of strings");
    out.emplace_back(std::string_view(one.get_string()));
  }
  return out;
}

bool switch_at(const Json& table, const std::string& key) {
  const Json* value = json::find(table, key);
  if (value && !value->is_bool()) bad(key, "true or false");
  return value && value->get_bool();
}

std::string absolute(const std::string& directory, const std::string& name) {
  return name.starts_with('/') ? name : os::path_join(directory, name);
}

// "client.pem" with the key in it, ["c.pem", "d.pem"], or [["c.cert", "c.key"], ...]. The first pair is taken.
void set_client(TlsOptions& tls, const Json& table, const std::string& directory) {
  const Json* value = json::find(table, "client");
  if (!value) return;
  const Json* first = value->is_array() && !value->get_array().empty() ? &value->get_array()[0] : value;
  if (first->is_string()) {
    tls.certificate = tls.key = absolute(directory, std::string(std::string_view(first->get_string())));
  } else if (first->is_array() && !first->get_array().empty() && first->get_array().size() <= 2) {
    auto at = [&](std::size_t i) {
      const Json& name = first->get_array()[std::min(i, first->get_array().size() - 1)];
      if (!name.is_string()) bad("client", "a list of pairs of file names");
      return std::string(std::string_view(name.get_string()));
    };
    tls.certificate = absolute(directory, at(0));
    tls.key = at(1).empty() ? tls.certificate : absolute(directory, at(1));
  } else {
    bad("client", "a list of pairs of file names");
  }
  for (const std::string& file : {tls.certificate, tls.key})
    if (!os::exists(file)) throw Error(ErrorKind::InvalidArgument, cat("client certificate ", file, " is not there"));
}

void set_headers(Host& host, const Json& table) {
  const Json* headers = json::find(table, "header");
  if (!headers) return;
  if (!headers->is_object()) bad("header", "a table");
  for (const auto& [name, value] : headers->get_object()) {
    for (const std::string& one : strings_at(*headers, std::string(name))) {
      std::string line = cat(std::string_view(name), ": ", one);
      if (std::any_of(line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }))
        bad("header", "without control characters");
      host.headers.push_back(std::move(line));
    }
  }
}

void set_capabilities(Host& host, const Json& table) {
  if (!json::find(table, "capabilities")) return;
  auto list = strings_at(table, "capabilities");
  auto has = [&](const char* name) { return std::find(list.begin(), list.end(), name) != list.end(); };
  for (const std::string& one : list)
    if (one != "pull" && one != "resolve" && one != "push")
      throw Error(ErrorKind::InvalidArgument, cat("unknown capability ", one));
  host.pulls = has("pull"), host.resolves = has("resolve"), host.pushes = has("push");
}

// "https://mirror.example/prefix", or without a scheme: http for this machine, https for all others.
Host parse_host(const std::string& address, const Json& table, const std::string& directory) {
  Host host;
  std::string url = address;
  if (url.find("://") == url.npos) {
    Url guess = Url::parse(cat("https://", url));
    url = cat(is_loopback(guess.host) ? "http://" : "https://", url);
  }
  host.base = Url::parse(url);
  std::string path = host.base.target.substr(0, host.base.target.find('?'));
  while (path.ends_with('/')) path.pop_back();
  host.root = switch_at(table, "override_path") || path.ends_with("/v2") ? path : cat(path, "/v2");
  host.base.target = "/";
  set_capabilities(host, table);
  host.tls.verify = !switch_at(table, "skip_verify");
  host.insecure = host.base.scheme == "http" || !host.tls.verify;
  for (const std::string& file : strings_at(table, "ca"))
    host.tls.authorities += cat(os::read_file(absolute(directory, file), kMaxCertificates), "\n");
  set_client(host.tls, table, directory);
  set_headers(host, table);
  return host;
}

}  // namespace

HostsFile parse_hosts_file(std::string_view text, const std::string& directory, const std::string& domain) {
  HostsFile out;
  Json file = parse_toml(text);
  if (std::string server = json::string_at(file, "server"); !server.empty())
    out.server = parse_host(server, file, directory);
  const Json* hosts = json::find(file, "host");
  if (!hosts) return out;
  if (!hosts->is_object()) bad("host", "a table");
  for (const auto& [address, table] : hosts->get_object()) {
    Host host = in_context(cat("host ", quoted(address)), [&, &where = address, &what = table] {
      return parse_host(std::string(where), what, directory);
    });
    host.mirror = true;
    host.name_space = domain;
    out.mirrors.push_back(std::move(host));
  }
  return out;
}

}  // namespace proa::registry
