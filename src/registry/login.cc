#include "registry/login.h"

#include "base/error.h"
#include "base/text.h"
#include "registry/auth.h"
#include "registry/failure.h"
#include "registry/hosts.h"
#include "registry/transport.h"

namespace proa::registry {

namespace {

std::string try_login(Transport& transport, const Host& host, const Credentials& credentials) {
  Request request;
  request.url = host.base;
  request.url.target = host.target("/v2/");
  request.tls = host.tls;
  request.total_timeout_ms = 60'000;
  Response response = transport.send(request);
  if (response.status == 200) return "";
  Authorizer auth(transport, host.base, host.tls, credentials, {});
  auth.want_refresh_token();
  if (response.status == 401 &&
      in_context(cat("Get ", quoted(request.url.text())), [&] { return auth.answer(response, ""); })) {
    request.headers.push_back(cat("Authorization: ", auth.header()));
    response = transport.send(request);
  }
  if (response.status != 200) {
    throw Error(ErrorKind::Unauthorized,
                cat("login attempt to ", request.url.text(), " failed with status: ", status_words(response.status)));
  }
  return auth.refresh_token();
}

}  // namespace

std::string login(const Options& options, const std::string& domain, const Credentials& credentials,
                  std::stop_token stop) {
  Transport transport(transport_options(options), std::move(stop));
  auto hosts = hosts_for(options, domain);
  std::erase_if(hosts, [](const Host& host) { return host.mirror; });
  for (std::size_t i = 0;; ++i) {
    try {
      return try_login(transport, hosts[i], credentials);
    } catch (const TransportError& error) {
      if (i + 1 < hosts.size()) continue;
      throw_transport(error, {.what = "login", .url = hosts[i].base});
    }
  }
}

std::string domain_of_server(std::string_view server) {
  for (std::string_view scheme : {"https://", "http://"})
    if (server.starts_with(scheme)) server.remove_prefix(scheme.size());
  std::string host(cut(server, '/').first);
  bool hub = host.empty() || host == "index.docker.io" || host == "registry-1.docker.io" || host == "docker.io";
  return hub ? "docker.io" : host;
}

}  // namespace proa::registry
