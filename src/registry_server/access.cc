#include "registry_server/access.h"

#include <sys/random.h>

#include <algorithm>
#include <ctime>

#include "base/text.h"
#include "base/time.h"
#include "os/fd.h"
#include "os/file.h"
#include "registry_server/exchange.h"
#include "registry_server/refusal.h"

namespace proa::registry_server {

namespace {

constexpr std::size_t kSecretSize = 32, kMaxForm = 64 << 10;
constexpr std::int64_t kRefreshSeconds = 90 * 24 * 3600;
constexpr std::int64_t kSkew = 60;  // between two servers' clocks
constexpr std::string_view kOwnIssuer = "proa-registry";

// Ours, made once: tokens outlive a restart.
std::string load_secret(const std::string& root) {
  std::string path = os::path_join(root, "token.secret");
  if (auto known = os::try_read_file(path, kSecretSize); known && known->size() == kSecretSize) return *known;
  std::string secret(kSecretSize, '\0');
  os::check(::getrandom(secret.data(), secret.size(), 0), "getrandom");
  os::write_file_atomic(path, secret, 0600);
  return secret;
}

bool lists(const Json& value, std::string_view wanted) {
  if (value.is_string()) return value.get_string() == wanted;
  if (!value.is_array()) return false;
  return std::any_of(value.get_array().begin(), value.get_array().end(),
                     [&](const Json& one) { return one.is_string() && one.get_string() == wanted; });
}

bool grants(const Json& claims, const Wanted& wanted) {
  if (wanted.type.empty()) return true;
  const Json* access = json::find(claims, "access");
  if (!access || !access->is_array()) return false;
  for (const Json& one : access->get_array()) {
    if (json::string_at(one, "type") != wanted.type || json::string_at(one, "name") != wanted.name) continue;
    const Json* actions = json::find(one, "actions");
    if (actions && (lists(*actions, wanted.action) || lists(*actions, "*"))) return true;
  }
  return false;
}

// "repository:library/busybox:pull,push". What cannot be read is left out.
JsonArray parse_scopes(const std::vector<std::string>& scopes) {
  JsonArray out;
  for (const std::string& list : scopes) {
    for (const std::string& scope : split(list, ' ')) {
      auto [type, rest] = cut(scope, ':');
      std::size_t colon = rest ? rest->rfind(':') : std::string_view::npos;
      if (!rest || colon == rest->npos || out.size() >= 32) continue;
      JsonArray actions;
      for (const std::string& action : split(rest->substr(colon + 1), ',')) actions.emplace_back(action);
      out.push_back(JsonObject{{"type", type}, {"name", rest->substr(0, colon)}, {"actions", std::move(actions)}});
    }
  }
  return out;
}

// Without a name only what everybody may.
void keep_pulls(JsonArray& access) {
  for (Json& one : access) {
    bool pulls = json::string_at(one, "type") == "repository" && lists(*json::find(one, "actions"), "pull");
    one.get_object()["actions"] = pulls ? JsonArray{"pull"} : JsonArray{};
  }
}

std::string user_of(std::string_view authorization) {
  auto pair = base64_decode(trim(authorization.substr(std::min<std::size_t>(6, authorization.size()))));
  return pair ? std::string(cut(*pair, ':').first) : "";
}

// Each action that is wanted, as docker-registry lists them.
Json detail_of(const Wanted& wanted) {
  if (wanted.type.empty()) return nullptr;
  JsonArray out;
  for (std::string_view action : {"pull", "push", "delete", "*"}) {
    bool also = wanted.action == "push" && action == "pull";
    if (action == wanted.action || also)
      out.push_back(JsonObject{{"Type", wanted.type}, {"Class", ""}, {"Name", wanted.name}, {"Action", action}});
  }
  return out;
}

}  // namespace

Access::Access(const Settings& settings, const std::string& root)
    : anonymous_pull_(settings.anonymous_pull),
      own_tokens_(settings.tokens),
      token_seconds_(std::max(1, settings.token_minutes) * 60),
      realm_(settings.token_realm),
      service_(settings.token_service),
      issuer_(settings.tokens ? std::string(kOwnIssuer) : settings.token_issuer) {
  if (!settings.htpasswd.empty()) {
    users_ = std::make_unique<os::Reloaded<Htpasswd>>(std::vector{settings.htpasswd}, [file = settings.htpasswd] {
      return std::make_shared<Htpasswd>(os::read_file(file, 4 << 20));
    });
  }
  if (own_tokens_) key_ = JwtKey::secret(load_secret(root));
  if (!realm_.empty()) {
    key_ =
        in_context(settings.token_key, [&] { return JwtKey::public_key(os::read_file(settings.token_key, 1 << 20)); });
  }
}

void Access::challenge(Exchange& exchange, const Wanted& wanted, std::string_view error) const {
  std::string value = "Basic realm=\"proa-registry\"";
  if (key_) {
    std::string host(exchange.request.headers.get("Host"));
    bool sound = host.find_first_of("\"\\") == host.npos;
    std::string realm =
        own_tokens_ ? cat(exchange.registry.secure ? "https" : "http", "://", sound ? host : "", "/token") : realm_;
    value = cat("Bearer realm=\"", realm, "\",service=\"", own_tokens_ ? kOwnIssuer : std::string_view(service_), "\"");
    if (!wanted.type.empty()) {
      std::string_view actions = wanted.action == "push" ? std::string_view("pull,push") : wanted.action;
      value += cat(",scope=\"", wanted.type, ":", wanted.name, ":", actions, "\"");
    }
    if (!error.empty()) value += cat(",error=\"", error, "\"");
  }
  exchange.response.headers.set("WWW-Authenticate", value);
  throw Refusal{401, "UNAUTHORIZED", "authentication required", detail_of(wanted)};
}

std::optional<std::string> Access::problem_of_token(std::string_view authorization, const Wanted& wanted) const {
  auto claims = key_->verify(trim(authorization.substr(7)));
  if (!claims || json::string_at(*claims, "iss") != issuer_ || json::string_at(*claims, "typ") == "refresh")
    return "invalid_token";
  const Json* audience = json::find(*claims, "aud");
  if (!audience || !lists(*audience, own_tokens_ ? kOwnIssuer : std::string_view(service_))) return "invalid_token";
  std::int64_t time = ::time(nullptr), skew = own_tokens_ ? 0 : kSkew;
  if (json::int_at(*claims, "exp") + skew <= time || json::int_at(*claims, "nbf") - skew > time) return "invalid_token";
  if (!grants(*claims, wanted)) return "insufficient_scope";
  return std::nullopt;
}

std::optional<std::string> Access::problem_of(const http::Request& request, const Wanted& wanted) const {
  if (!users_ && !key_) return std::nullopt;
  if (anonymous_pull_ && wanted.type == "repository" && wanted.action == "pull") return std::nullopt;
  std::string_view authorization = request.headers.get("Authorization");
  if (key_) {
    bool bearer = iequals(authorization.substr(0, 7), "bearer ");
    return bearer ? problem_of_token(authorization, wanted) : std::optional<std::string>("");
  }
  return users_->get()->admits(authorization) ? std::nullopt : std::optional<std::string>("");
}

void Access::check(Exchange& exchange, const Wanted& wanted) const {
  if (auto problem = problem_of(exchange.request, wanted)) challenge(exchange, wanted, *problem);
}

std::string Access::issue(const std::string& user, const JsonArray& access, std::int64_t seconds,
                          const std::string& type) const {
  std::int64_t time = ::time(nullptr);
  JsonObject claims{{"iss", kOwnIssuer}, {"sub", user},           {"aud", kOwnIssuer}, {"iat", time},
                    {"nbf", time},       {"exp", time + seconds}, {"access", access}};
  if (!type.empty()) claims["typ"] = type;
  return key_->sign(claims);
}

// The token specification's GET, and its OAuth2 form (POST).
void Access::serve_token(Exchange& exchange) const {
  if (!own_tokens_) throw Refusal{404, "NOT_FOUND", "no such page"};
  bool post = exchange.request.method == "POST";
  http::Query form = post ? http::Query::parse(exchange.request.read_body(kMaxForm)) : exchange.request.query;
  std::string authorization(exchange.request.headers.get("Authorization")), user;
  bool refreshing = false;
  if (post && form.get("grant_type") == "refresh_token") {
    auto claims = key_->verify(form.get("refresh_token"));
    bool good =
        claims && json::string_at(*claims, "typ") == "refresh" && json::int_at(*claims, "exp") > ::time(nullptr);
    if (good) user = json::string_at(*claims, "sub");
    refreshing = good && users_->get()->knows(user);
    if (!refreshing) throw Refusal{401, "UNAUTHORIZED", "the refresh token is not valid any more"};
  } else if (post && form.get("grant_type") == "password") {
    authorization = cat("Basic ", base64_encode(cat(form.get("username"), ":", form.get("password"))));
  }
  if (!refreshing && !authorization.empty()) {
    if (!users_->get()->admits(authorization)) {
      exchange.response.headers.set("WWW-Authenticate", "Basic realm=\"proa-registry\"");
      throw Refusal{401, "UNAUTHORIZED", "incorrect username or password"};
    }
    user = user_of(authorization);
  }
  JsonArray access = parse_scopes(form.all("scope"));
  if (user.empty()) {
    if (!anonymous_pull_) throw Refusal{401, "UNAUTHORIZED", "authentication required"};
    keep_pulls(access);
  }
  std::string token = issue(user, access, token_seconds_, "");
  JsonObject reply{
      {"token", token}, {"access_token", token}, {"expires_in", token_seconds_}, {"issued_at", format_rfc3339(now())}};
  bool wants_refresh = form.get("offline_token") == "true" || form.get("access_type") == "offline";
  if (!user.empty() && (wants_refresh || refreshing))
    reply["refresh_token"] = refreshing ? form.get("refresh_token") : issue(user, {}, kRefreshSeconds, "refresh");
  exchange.reply(200, json::text(reply));
}

}  // namespace proa::registry_server
