#include "registry/hosts.h"

#include "base/text.h"
#include "os/file.h"

namespace proa::registry {

namespace {

// /etc/docker/certs.d/<host:port>/: *.crt are authorities, X.cert and X.key the client's pair.
TlsOptions tls_for(const Options& options, const Url& url, bool insecure) {
  TlsOptions tls{.verify = !insecure, .ca_file = "", .certificate = "", .key = ""};
  std::string directory = os::path_join(options.certs_dir, url.authority());
  if (options.certs_dir.empty() || url.scheme != "https" || !os::exists(directory)) return tls;
  for (const std::string& name : os::list_dir(directory)) {
    std::string path = os::path_join(directory, name);
    if (name.ends_with(".crt") && tls.ca_file.empty()) tls.ca_file = path;
    if (name.ends_with(".cert") && tls.certificate.empty()) {
      tls.certificate = path;
      tls.key = cat(path.substr(0, path.size() - 5), ".key");
      if (!os::exists(tls.key))
        throw Error(ErrorKind::InvalidArgument, cat("missing key ", tls.key, " for client certificate ", path));
    }
  }
  return tls;
}

void add(std::vector<Host>& hosts, const Options& options, const std::string& url, bool mirror) {
  Host host;
  host.base = Url::parse(url);
  host.base.target = "/";
  host.mirror = mirror;
  host.insecure = is_loopback(host.base.host);
  for (const std::string& entry : options.insecure_registries) {
    host.insecure = host.insecure || is_insecure(host.base.authority(), host.base.host, entry);
  }
  host.tls = tls_for(options, host.base, host.insecure);
  hosts.push_back(host);
}

}  // namespace

std::vector<Host> hosts_for(const Options& options, const std::string& domain) {
  std::vector<Host> hosts;
  if (domain == "docker.io") {
    for (const std::string& mirror : options.registry_mirrors) add(hosts, options, mirror, true);
    add(hosts, options, "https://registry-1.docker.io", false);
    return hosts;
  }
  add(hosts, options, cat("https://", domain), false);
  if (hosts.back().insecure) {
    add(hosts, options, cat("http://", domain), false);
    hosts.back().insecure = true;
  }
  return hosts;
}

}  // namespace proa::registry
