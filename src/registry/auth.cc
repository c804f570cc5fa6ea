#include "registry/auth.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "base/trace.h"
#include "registry/failure.h"

namespace proa::registry {

namespace {

constexpr std::size_t kMaxToken = 64 << 10;
constexpr std::size_t kMaxTokenReply = 1 << 20;

bool is_token_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// RFC 9110 section 11.6.1, one character class at a time.
struct Scanner {
  std::string_view text;
  std::size_t at = 0;
  void blanks() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == ',')) ++at;
  }
  std::string token() {
    std::size_t begin = at;
    while (at < text.size() && is_token_char(text[at])) ++at;
    return std::string(text.substr(begin, at - begin));
  }
  bool take(char c) {
    if (at >= text.size() || text[at] != c) return false;
    ++at;
    return true;
  }
  std::string value() {
    if (!take('"')) return token();
    std::string out;
    while (at < text.size() && text[at] != '"') {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      out += text[at++];
    }
    take('"');
    return out;
  }
};

std::string basic(const std::string& user, const std::string& password) {
  return cat("Basic ", base64_encode(cat(user, ":", password)));
}

// A token goes into a header: nothing in it may end the line.
void check_token(const std::string& token) {
  bool sound = !token.empty() && token.size() <= kMaxToken &&
               std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!sound) throw Error(ErrorKind::Unauthorized, "the token server's answer holds no usable token");
}

}  // namespace

std::vector<Challenge> parse_challenges(std::string_view header) {
  std::vector<Challenge> out;
  Scanner scan{header};
  for (scan.blanks(); scan.at < header.size() && out.size() < 16; scan.blanks()) {
    std::string word = scan.token();
    if (word.empty()) {
      ++scan.at;
      continue;
    }
    std::size_t before = scan.at;
    while (scan.take(' ')) {
    }
    if (scan.take('=')) {  // a parameter of the challenge before
      while (scan.take(' ')) {
      }
      std::string value = scan.value();
      if (!out.empty()) out.back().params.emplace(to_lower(word), value);
      continue;
    }
    scan.at = before;
    out.push_back({to_lower(word), {}});
  }
  return out;
}

bool may_send_credentials(const Url& registry, const Url& realm) {
  if (registry.same_origin(realm)) return true;
  if (registry.scheme == "https" && realm.scheme != "https") return false;
  // Over plain HTTP (a loopback or configured insecure registry) the host must be the very same.
  if (realm.scheme == "http") return realm.host == registry.host;
  return is_same_site(registry.host, realm.host);
}

Authorizer::Authorizer(Transport& transport, Url registry, TlsOptions tls, Credentials credentials,
                       std::vector<std::string> scopes)
    : transport_(transport),
      registry_(std::move(registry)),
      tls_(std::move(tls)),
      credentials_(std::move(credentials)),
      scopes_(std::move(scopes)) {
  if (!credentials_.registry_token.empty()) {
    check_token(credentials_.registry_token);
    header_ = cat("Bearer ", credentials_.registry_token);
  }
}

std::string Authorizer::header() const {
  std::lock_guard guard(mutex_);
  return header_;
}

bool Authorizer::answer(const Response& unauthorized, const std::string& sent) {
  std::lock_guard guard(mutex_);
  if (header_ != sent) return true;  // another thread has found something newer meanwhile
  for (const Challenge& challenge : parse_challenges(unauthorized.header("www-authenticate"))) {
    if (challenge.scheme == "bearer" && credentials_.registry_token.empty()) {
      header_ = cat("Bearer ", fetch_token(challenge));
      return true;
    }
    if (challenge.scheme == "basic") {
      if (credentials_.username.empty()) throw Error(ErrorKind::Unauthorized, "no basic auth credentials");
      std::string next = basic(credentials_.username, credentials_.password);
      if (next == sent) return false;
      header_ = next;
      return true;
    }
  }
  return false;
}

Response Authorizer::ask(const Url& realm, const Challenge& challenge) {
  Request request;
  request.url = realm;
  request.tls = realm.same_origin(registry_) || realm.host == registry_.host ? tls_ : TlsOptions{};
  request.max_body = kMaxTokenReply;
  request.total_timeout_ms = 60'000;
  auto service = challenge.params.find("service");
  std::string service_value = service == challenge.params.end() ? "" : service->second;
  if (!credentials_.identity_token.empty()) {
    request.method = "POST";
    request.headers.push_back("Content-Type: application/x-www-form-urlencoded");
    request.body = cat("grant_type=refresh_token&client_id=proa&service=", percent_encode(service_value),
                       "&scope=", percent_encode(join(scopes_, " ")),
                       "&refresh_token=", percent_encode(credentials_.identity_token));
    return transport_.send(request);
  }
  std::string& target = request.url.target;
  auto add = [&](std::string_view name, std::string_view value) {
    target += cat(target.find('?') == target.npos ? "?" : "&", name, "=", percent_encode(value));
  };
  if (!credentials_.username.empty()) {
    add("account", credentials_.username);
    request.headers.push_back(cat("Authorization: ", basic(credentials_.username, credentials_.password)));
  }
  for (const std::string& scope : scopes_)
    add("scope", scope);  // ours, not the challenge's: nobody talks us into asking for more
  if (!service_value.empty()) add("service", service_value);
  if (wants_refresh_) add("offline_token", "true"), add("client_id", "proa");
  return transport_.send(request);
}

std::string Authorizer::fetch_token(const Challenge& challenge) {
  auto realm_text = challenge.params.find("realm");
  if (realm_text == challenge.params.end())
    throw Error(ErrorKind::Unauthorized, "the registry's bearer challenge names no realm");
  Url realm = Url::parse(realm_text->second);
  bool has_secret = !credentials_.username.empty() || !credentials_.identity_token.empty();
  if (has_secret && !may_send_credentials(registry_, realm)) {
    throw Error(ErrorKind::Unauthorized, cat("refusing to send the credentials of ", registry_.authority(),
                                             " to the token server ", realm.scheme, "://", realm.authority()));
  }
  if (is_link_local(realm.host) || (is_loopback(realm.host) && !is_loopback(registry_.host))) {
    throw Error(ErrorKind::Unauthorized,
                cat("refusing the token server ", realm.authority(), " of registry ", registry_.authority()));
  }
  trace::Span span("registry.token");
  span.set("realm", realm.without_query());
  Response response = ask(realm, challenge);
  if (response.status < 200 || response.status > 299) throw_status(response, {.what = "token", .url = realm});
  Json reply;
  try {
    reply = json::parse(response.body);
  } catch (const Error&) {
    throw Error(ErrorKind::Unauthorized,
                cat("the token server ", realm.authority(), " answered with something that is not JSON"));
  }
  std::string token = json::string_at(reply, "token");
  if (token.empty()) token = json::string_at(reply, "access_token");
  check_token(token);
  if (wants_refresh_) refresh_token_ = json::string_at(reply, "refresh_token");
  return token;
}

}  // namespace proa::registry
