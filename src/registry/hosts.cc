#include "registry/hosts.h"

#include <algorithm>

#include "base/text.h"
#include "os/file.h"
#include "registry/hosts_file.h"

namespace proa::registry {

namespace {

constexpr std::size_t kMaxFile = 1 << 20;

// /etc/docker/certs.d/<host:port>/: *.crt are authorities, X.cert and X.key the client's pair.
void add_certificates(TlsOptions& tls, const std::string& directory) {
  for (const std::string& name : os::list_dir(directory)) {
    std::string path = os::path_join(directory, name), stem = path.substr(0, path.rfind('.'));
    if (name.ends_with(".crt")) tls.authorities += cat(os::read_file(path, kMaxFile), "\n");
    if (name.ends_with(".cert") && tls.certificate.empty()) {
      tls.certificate = path;
      tls.key = cat(stem, ".key");
      if (!os::exists(tls.key)) {
        throw Error(ErrorKind::InvalidArgument, cat("missing key ", os::base_name(tls.key), " for client certificate ",
                                                    name, ". CA certificates must use the extension .crt"));
      }
    }
    if (name.ends_with(".key") && !os::exists(cat(stem, ".cert"))) {
      throw Error(ErrorKind::InvalidArgument,
                  cat("missing client certificate ", os::base_name(stem), ".cert for key ", name));
    }
  }
}

TlsOptions tls_for(const Options& options, const Url& url, bool insecure) {
  TlsOptions tls;
  tls.verify = !insecure;
  std::string directory = os::path_join(options.certs_dir, url.authority());
  if (!options.certs_dir.empty() && url.scheme == "https" && os::exists(directory)) add_certificates(tls, directory);
  return tls;
}

Host host_of(const Options& options, const std::string& url) {
  Host host;
  host.base = Url::parse(url);
  host.base.target = "/";
  host.insecure = is_loopback(host.base.host);
  for (const std::string& entry : options.insecure_registries) {
    host.insecure = host.insecure || is_insecure(host.base.authority(), host.base.host, entry);
  }
  host.tls = tls_for(options, host.base, host.insecure);
  return host;
}

// containerd's names for the directory of "host:port".
std::vector<std::string> directories_of(const std::string& domain) {
  std::vector<std::string> out;
  std::size_t colon = domain.rfind(':');
  if (colon != domain.npos && domain.find(']', colon) == domain.npos)
    out.push_back(cat(domain.substr(0, colon), "_", domain.substr(colon + 1), "_"));
  out.push_back(domain);
  out.emplace_back("_default");
  return out;
}

HostsFile hosts_file_for(const Options& options, const std::string& domain) {
  if (options.certs_dir.empty()) return {};
  for (const std::string& name : directories_of(domain)) {
    std::string directory = os::path_join(options.certs_dir, name), path = os::path_join(directory, "hosts.toml");
    auto text = os::try_read_file(path, kMaxFile);
    if (text) return in_context(path, [&] { return parse_hosts_file(*text, directory, domain); });
  }
  return {};
}

}  // namespace

std::string Host::target(std::string_view path) const {
  std::string out = cat(root, path.substr(std::min<std::size_t>(3, path.size())));
  if (!name_space.empty() && out.find("?ns=") == out.npos && out.find("&ns=") == out.npos)
    out += cat(out.find('?') == out.npos ? "?" : "&", "ns=", percent_encode(name_space));
  return out;
}

TransportOptions transport_options(const Options& options) {
  return {options.user_agent, options.connect_timeout_ms, options.stall_timeout_ms,
          options.http_proxy, options.https_proxy,        options.no_proxy};
}

std::vector<Host> hosts_for(const Options& options, const std::string& domain) {
  HostsFile file = hosts_file_for(options, domain);
  std::vector<Host> hosts = std::move(file.mirrors);
  if (domain == "docker.io") {
    for (const std::string& mirror : options.registry_mirrors) {
      hosts.push_back(host_of(options, mirror));
      hosts.back().mirror = true;
    }
  }
  if (file.server) {
    hosts.push_back(std::move(*file.server));
    return hosts;
  }
  if (domain == "docker.io") {
    hosts.push_back(host_of(options, "https://registry-1.docker.io"));
    return hosts;
  }
  hosts.push_back(host_of(options, cat("https://", domain)));
  if (hosts.back().insecure) {
    hosts.push_back(host_of(options, cat("http://", domain)));
    hosts.back().insecure = true;
  }
  return hosts;
}

}  // namespace proa::registry
