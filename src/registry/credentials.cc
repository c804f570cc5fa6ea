#include "registry/credentials.h"

#include "base/json.h"
#include "base/text.h"

namespace proa::registry {

Credentials credentials_from_header(std::string_view header) {
  Credentials out;
  if (header.size() > 64 * 1024) return out;
  auto bytes = base64_decode(trim(header));
  if (!bytes || bytes->empty()) return out;
  try {
    Json value = json::parse(*bytes);
    out.username = json::string_at(value, "username");
    out.password = json::string_at(value, "password");
    out.identity_token = json::string_at(value, "identitytoken");
    out.registry_token = json::string_at(value, "registrytoken");
    out.server_address = json::string_at(value, "serveraddress");
    if (std::string pair = json::string_at(value, "auth"); out.username.empty() && !pair.empty()) {
      auto decoded = base64_decode(pair);
      auto [user, password] = cut(decoded ? std::string_view(*decoded) : std::string_view(), ':');
      if (password) {
        out.username = user;
        out.password = *password;
      }
    }
  } catch (const Error&) {
    return {};
  }
  return out;
}

}  // namespace proa::registry
