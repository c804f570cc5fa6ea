// How a request of Client gets its answer: places in their order, redirects, challenges, patience.
#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "base/error.h"
#include "base/text.h"
#include "registry/client_state.h"

namespace proa::registry {

namespace {

constexpr int kMaxRedirects = 10;
constexpr int kMaxAuthAttempts = 2;
constexpr int kBusyAttempts = 4;  // for 429 and 5xx
constexpr std::int64_t kLongestWaitMs = 10'000;

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}
bool is_busy(int status) { return status == 429 || status == 500 || status == 502 || status == 503 || status == 504; }

std::vector<std::string> scopes_of(const oci::Reference& repository, Access access,
                                   const std::vector<std::string>& mount_from) {
  std::vector<std::string> scopes{cat("repository:", repository.path, access == Access::Push ? ":pull,push" : ":pull")};
  for (const std::string& from : mount_from) scopes.push_back(cat("repository:", from, ":pull"));
  return scopes;
}

}  // namespace

void check_redirect(const Host& host, const Url& from, const Url& to) {
  auto refuse = [&](std::string_view why) {
    throw Error(ErrorKind::Forbidden, cat("refusing the redirect of ", from.without_query(), " to ", to.scheme, "://",
                                          to.authority(), ": ", why));
  };
  if (from.scheme == "https" && to.scheme == "http" && !host.insecure) refuse("it leads from https to http");
  if (is_link_local(to.host)) refuse("it is a link-local address");
  if (is_loopback(to.host) && !is_loopback(host.base.host)) refuse("it is a loopback address");
}

void wait(std::int64_t milliseconds, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  condition.wait_for(lock, stop, std::chrono::milliseconds(milliseconds), [] { return false; });
  if (stop.stop_requested()) throw Error(ErrorKind::Cancelled, "context canceled");
}

Client::State::State(const Options& options, const oci::Reference& repository, const Credentials& credentials,
                     std::stop_token token, Access what_for, const std::vector<std::string>& mount_from)
    : transport({options.user_agent, options.connect_timeout_ms, options.stall_timeout_ms}, token),
      reference(repository),
      stop(std::move(token)),
      access(what_for) {
  auto scopes = scopes_of(repository, access, mount_from);
  for (Host& host : hosts_for(options, repository.domain)) {
    if (host.mirror && access == Access::Push) continue;
    auto auth =
        std::make_unique<Authorizer>(transport, host.base, host.tls, host.mirror ? Credentials{} : credentials, scopes);
    places.push_back({std::move(host), std::move(auth)});
  }
}

FailedRequest Client::State::failed(std::string_view what, const Request& request) const {
  return {std::string(what), request.url, request.method, reference, access == Access::Push};
}

// One answer, redirects followed and challenges met. `Authorization` goes to the registry's own origin only.
Response Client::State::exchange(Place& place, Request request) {
  int redirects = 0, attempts = 0;
  for (;;) {
    bool ours = request.url.same_origin(place.host.base);
    std::string authorization = ours ? place.auth->header() : "";
    Request attempt = request;
    attempt.tls = request.url.host == place.host.base.host ? place.host.tls : TlsOptions{};
    if (!authorization.empty()) attempt.headers.push_back(cat("Authorization: ", authorization));
    Response response = transport.send(attempt);
    if (response.status == 401 && ours && attempts < kMaxAuthAttempts) {
      std::string context = cat(method_word(request.method), " ", quoted(request.url.without_query()));
      if (in_context(context, [&] { return place.auth->answer(response, authorization); })) {
        ++attempts;
        continue;
      }
    }
    std::string location = response.header("location");
    if (!is_redirect(response.status) || location.empty()) return response;
    if (++redirects > kMaxRedirects) {
      throw Error(ErrorKind::Unavailable,
                  cat(request.url.without_query(), ": stopped after ", kMaxRedirects, " redirects"));
    }
    Url next = request.url.resolve(location);
    check_redirect(place.host, request.url, next);
    request.url = next;
  }
}

// Waits out a registry that is busy or flapping, as long as it asks for but never long.
Response Client::State::patiently(Place& place, const Request& request) {
  for (int attempt = 1;; ++attempt) {
    Response response = exchange(place, request);
    if (!is_busy(response.status) || attempt == kBusyAttempts) return response;
    std::int64_t pause = 250LL << (attempt - 1);
    if (auto asked = parse_int<std::int64_t>(response.header("retry-after")); asked && *asked >= 0) {
      pause = std::min<std::int64_t>(*asked, kLongestWaitMs / 1000) * 1000;
    }
    wait(std::clamp<std::int64_t>(pause, 50, kLongestWaitMs), stop);
  }
}

// The first place that answers at all is the one for the rest of this client's life; a mirror has to answer well.
Response Client::State::send(std::string_view what, Request request, const std::string& path) {
  for (std::size_t i = current;; ++i) {
    Place& place = places[i];
    bool last = i + 1 == places.size();
    request.url = place.host.base;
    request.url.target = path;
    FailedRequest failure = failed(what, request);
    try {
      Response response = patiently(place, request);
      bool good = response.status >= 200 && response.status < 300;
      if (!good && place.host.mirror && !last && !settled) continue;
      if (!good && response.status != 416) {
        if (place.host.mirror) throw_status(response, failure);
        settled = true;
        current = i;
        throw_status(response, failure);
      }
      settled = true;
      current = i;
      return response;
    } catch (const TransportError& error) {
      if (settled && i != current) {  // another thread has found where to ask meanwhile
        i = current - 1;
        continue;
      }
      // Once a place has answered, later failures are failures; http is no answer to a broken https connection.
      if (last || settled || error.failure() == Failure::Limit) {
        if (request.on_data && settled) throw;  // stream_blob goes on from where it was
        throw_transport(error, failure);
      }
    }
  }
}

}  // namespace proa::registry
