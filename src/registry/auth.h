// Proving who we are to a registry: Basic, and bearer tokens from a token server (distribution's token specification).
// Credentials are bound to the registry's origin and to token servers of the same site over https (security.md R8).
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "registry/credentials.h"
#include "registry/transport.h"

namespace proa::registry {

struct Challenge {
  std::string scheme;                         // lower case: "bearer", "basic"
  std::map<std::string, std::string> params;  // names in lower case
};
// The WWW-Authenticate header, several challenges perhaps. What cannot be read is left out.
std::vector<Challenge> parse_challenges(std::string_view header);

// May credentials for the registry `registry` be sent to the token server `realm`?
bool may_send_credentials(const Url& registry, const Url& realm);

class Authorizer {
 public:
  // `scopes`: "repository:library/busybox:pull". `credentials`: none for mirrors.
  Authorizer(Transport& transport, Url registry, TlsOptions tls, Credentials credentials,
             std::vector<std::string> scopes);
  // Asks for a refresh token along with the access token; it is then in refresh_token().
  void want_refresh_token() { wants_refresh_ = true; }
  const std::string& refresh_token() const { return refresh_token_; }

  // "Bearer ..." or "Basic ..." to send to the registry, "" where nothing is known to be needed.
  std::string header() const;
  // Answers a 401 to a request that was sent with `sent`. False: there is no other way to try. Throws Unauthorized
  // where the token server refuses.
  bool answer(const Response& unauthorized, const std::string& sent);

 private:
  std::string fetch_token(const Challenge& challenge);
  Response ask(const Url& realm, const Challenge& challenge);

  Transport& transport_;
  Url registry_;
  TlsOptions tls_;
  Credentials credentials_;
  std::vector<std::string> scopes_;
  bool wants_refresh_ = false;
  std::string refresh_token_;
  mutable std::mutex mutex_;
  std::string header_;
};

}  // namespace proa::registry
