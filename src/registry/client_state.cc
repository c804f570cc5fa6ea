// How a request of Client gets its answer: places in their order, redirects, challenges, patience.
#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
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
  constexpr std::string_view kActions[] = {":pull", ":pull,push", ":pull,delete"};
  std::vector<std::string> scopes{cat("repository:", repository.path, kActions[static_cast<int>(access)])};
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
    : transport(transport_options(options), token),
      reference(repository),
      stop(std::move(token)),
      access(what_for),
      download_attempts(options.download_attempts) {
  auto scopes = scopes_of(repository, access, mount_from);
  for (Host& host : hosts_for(options, repository.domain)) {
    if (access == Access::Push && !host.pushes) continue;
    if (access == Access::Delete && host.mirror) continue;
    auto auth =
        std::make_unique<Authorizer>(transport, host.base, host.tls, host.mirror ? Credentials{} : credentials, scopes);
    places.emplace_back(std::move(host), std::move(auth));
  }
  if (places.empty())
    throw Error(ErrorKind::Forbidden, cat("no host of ", repository.domain, " may be pushed to (hosts.toml)"));
}

FailedRequest Client::State::failed(std::string_view what, const Request& request) const {
  return {std::string(what), request.url, request.method, reference, access != Access::Pull};
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
    if (ours) attempt.headers.insert(attempt.headers.end(), place.host.headers.begin(), place.host.headers.end());
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
    if (auto asked = retry_after(response.header("retry-after"), now() / kSecond)) {
      pause = std::min<std::int64_t>(*asked, kLongestWaitMs / 1000) * 1000;
    }
    wait(std::clamp<std::int64_t>(pause, 50, kLongestWaitMs), stop);
  }
}

void Client::State::leave(std::size_t index) {
  if (index + 1 < places.size()) current.compare_exchange_strong(index, index + 1);
}

bool Client::State::leave_mirror() {
  std::size_t index = current;
  if (!places[index].host.mirror || index + 1 == places.size()) return false;
  leave(index);
  return true;
}

bool Client::State::may_ask(const Place& place, bool by_name) const {
  return access != Access::Pull || (by_name ? place.host.resolves : place.host.pulls);
}

// A mirror that has not got something is passed over for this once, one that cannot be reached for good. A registry
// that was reached by https is not asked by http.
Response Client::State::send(std::string_view what, Request request, const std::string& path) {
  bool by_name = path.find("sha256:") == path.npos && (what == "manifest" || what == "tags");
  auto has_next = [&](std::size_t i) {
    while (++i < places.size())
      if (may_ask(places[i], by_name)) return true;
    return false;
  };
  auto told = request.on_head;
  for (std::size_t i = current; i < places.size(); ++i) {
    Place& place = places[i];
    if (!may_ask(place, by_name)) continue;
    bool last = !has_next(i);
    request.url = place.host.base;
    request.url.target = place.host.target(path);
    request.on_head = [&](const Response& head) {
      place.answered = true;
      if (told) told(head);
    };
    FailedRequest failure = failed(what, request);
    try {
      Response response = patiently(place, request);
      place.answered = true;
      bool good = response.status >= 200 && response.status < 300;
      if (good || response.status == 416) return response;
      if (!place.host.mirror || last) throw_status(response, failure);
      if (access == Access::Push) leave(i);
    } catch (const TransportError& error) {
      if (request.on_data && place.answered) throw;  // stream_blob goes on from where it was
      bool elsewhere = place.host.mirror || (!place.answered && error.failure() != Failure::Alert);
      if (last || !elsewhere || error.failure() == Failure::Limit) throw_transport(error, failure);
      leave(i);
    } catch (const Error& error) {
      // It wants credentials, which it does not get, or leads where nobody should go.
      bool denied = error.kind() == ErrorKind::Unauthorized || error.kind() == ErrorKind::Forbidden;
      if (last || !denied || !place.host.mirror) throw;
      leave(i);
    }
  }
  throw Error(ErrorKind::Unavailable, cat("no host of ", reference.domain, " may be asked for this (hosts.toml)"));
}

}  // namespace proa::registry
