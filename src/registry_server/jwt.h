// JSON Web Tokens (RFC 7519): signed by us (HS256), or by another server whose public key is known (RS256, ES256,
// EdDSA). The key decides the algorithm, never the token.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace proa::registry_server {

class JwtKey {
 public:
  static std::unique_ptr<JwtKey> secret(std::string bytes);
  // A public key or a certificate. Throws InvalidArgument.
  static std::unique_ptr<JwtKey> public_key(const std::string& pem);
  ~JwtKey();

  std::string sign(const Json& claims) const;  // with a secret only
  // The claims, if the signature is this key's; nullopt for anything else. Times are the caller's to check.
  std::optional<Json> verify(std::string_view token) const;

 private:
  struct State;
  explicit JwtKey(std::unique_ptr<State> state);
  bool proves(std::string_view algorithm, std::string_view text, const std::string& signature) const;
  std::unique_ptr<State> state_;
};

}  // namespace proa::registry_server
