// Who may do what: everybody, those with a password, or those with a token; ours or another server's.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "http/server.h"
#include "os/reloaded.h"
#include "registry_server/htpasswd.h"
#include "registry_server/jwt.h"
#include "registry_server/settings.h"

namespace proa::registry_server {

struct Exchange;

// What a request wants. No repository: only to know that it may come in, or ("catalog") the list of all.
struct Wanted {
  std::string type, name, action;  // "repository", "library/busybox", "pull" | "push" | "delete"
};

class Access {
 public:
  // `root`: where the secret of our own tokens is kept. Throws for files that cannot be read.
  Access(const Settings& settings, const std::string& root);

  bool permits(const http::Request& request, const Wanted& wanted) const { return !problem_of(request, wanted); }
  // Throws Refusal 401, with the challenge in the exchange's headers.
  void check(Exchange& exchange, const Wanted& wanted) const;
  // GET and POST /token. Throws Refusal 404 where tokens are not ours.
  void serve_token(Exchange& exchange) const;

 private:
  // What is wrong, in the challenge's words ("": no more than that nobody is named); nullopt: nothing.
  std::optional<std::string> problem_of(const http::Request& request, const Wanted& wanted) const;
  std::optional<std::string> problem_of_token(std::string_view authorization, const Wanted& wanted) const;
  [[noreturn]] void challenge(Exchange& exchange, const Wanted& wanted, std::string_view error) const;
  std::string issue(const std::string& user, const JsonArray& access, std::int64_t seconds,
                    const std::string& type) const;

  std::unique_ptr<os::Reloaded<Htpasswd>> users_;  // none: everybody
  bool anonymous_pull_, own_tokens_;
  std::int64_t token_seconds_;
  std::string realm_, service_, issuer_;
  std::unique_ptr<JwtKey> key_;  // none: no tokens
};

}  // namespace proa::registry_server
