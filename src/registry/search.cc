#include "registry/search.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "registry/auth.h"
#include "registry/failure.h"
#include "registry/hosts.h"
#include "registry/transport.h"

namespace proa::registry {

namespace {

constexpr int kMaxRedirects = 10;
constexpr std::size_t kMaxReply = 4 << 20;

// The registry of "localhost:5000/team", and the words to look for.
std::pair<std::string, std::string> split_term(const std::string& term) {
  auto [first, rest] = cut(term, '/');
  bool host = rest && (first.find_first_of(".:") != first.npos || first == "localhost");
  if (!host) return {"docker.io", term};
  return {std::string(first), std::string(*rest)};
}

std::vector<Host> indexes_of(const Options& options, const std::string& domain) {
  if (domain != "docker.io") {
    auto hosts = hosts_for(options, domain);
    std::erase_if(hosts, [](const Host& host) { return host.mirror; });
    return hosts;
  }
  Host hub;
  hub.base = Url::parse("https://index.docker.io/");
  return {hub};
}

Response ask(Transport& transport, const Host& host, const Credentials& credentials, const std::string& target) {
  Request request;
  request.url = host.base;
  request.url.target = target;
  request.tls = host.tls;
  request.max_body = kMaxReply;
  request.total_timeout_ms = 60'000;
  Authorizer auth(transport, host.base, host.tls, credentials, {"registry:catalog:*"});
  Response response = transport.send(request);
  if (response.status != 401 || credentials.anonymous() || !auth.answer(response, "")) return response;
  request.headers.push_back(cat("Authorization: ", auth.header()));
  return transport.send(request);
}

SearchResult result_of(const Json& value) {
  SearchResult out;
  out.name = json::string_at(value, "name");
  out.description = json::string_at(value, "description");
  out.stars = json::int_at(value, "star_count");
  out.official = json::bool_at(value, "is_official");
  out.automated = json::bool_at(value, "is_automated");
  return out;
}

}  // namespace

std::vector<SearchResult> search(const Options& options, const std::string& term, int limit,
                                 const Credentials& credentials, std::stop_token stop) {
  auto [domain, words] = split_term(term);
  if (words.empty() || words.find("://") != words.npos)
    throw Error(ErrorKind::InvalidArgument, cat("invalid reference format: ", quoted(term)));
  Transport transport(transport_options(options), std::move(stop));
  auto hosts = indexes_of(options, domain);
  std::string target = cat("/v1/search?q=", percent_encode(words), "&n=", limit);
  for (std::size_t i = 0;; ++i) {
    FailedRequest failed{.what = "search", .url = hosts[i].base};
    failed.url.target = target;
    try {
      Response response = ask(transport, hosts[i], credentials, target);
      if (response.status != 200) {
        throw Error(ErrorKind::Unavailable,
                    cat("Unexpected status code ", response.status, " of ", failed.url.without_query()));
      }
      std::vector<SearchResult> out;
      Json reply = json::parse(response.body);
      const Json* results = json::find(reply, "results");
      if (!results || !results->is_array()) return out;
      for (const Json& one : results->get_array())
        if (out.size() < static_cast<std::size_t>(limit)) out.push_back(result_of(one));
      return out;
    } catch (const TransportError& error) {
      if (i + 1 == hosts.size() || error.failure() == Failure::Alert) throw_transport(error, failed);
    }
  }
}

void download(const Options& options, const std::string& url, const std::function<void(std::int64_t size)>& begin,
              const std::function<void(std::span<const std::byte>)>& data, std::stop_token stop) {
  Transport transport(transport_options(options), std::move(stop));
  Request request;
  request.url = Url::parse(url);
  request.on_head = [&](const Response& head) {
    begin(parse_int<std::int64_t>(head.header("content-length")).value_or(-1));
  };
  request.on_data = data;
  for (int redirects = 0;; ++redirects) {
    Response response;
    try {
      response = transport.send(request);
    } catch (const TransportError& error) {
      throw Error(ErrorKind::Unavailable, cat("Get ", quoted(request.url.without_query()), ": ", error.what()));
    }
    std::string location = response.header("location");
    if (response.status < 300 || location.empty() || redirects == kMaxRedirects) {
      if (response.status >= 200 && response.status < 300) return;
      throw Error(ErrorKind::InvalidArgument, cat("Got HTTP status code >= 400: ", status_words(response.status)));
    }
    Url next = request.url.resolve(location);
    if (request.url.scheme == "https" && next.scheme == "http")
      throw Error(ErrorKind::Forbidden, cat("refusing the redirect of ", url, " from https to http"));
    request.url = next;
  }
}

}  // namespace proa::registry
