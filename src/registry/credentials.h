// Who we are for a registry, as docker's clients send it (X-Registry-Auth).
#pragma once

#include <string>
#include <string_view>

namespace proa::registry {

struct Credentials {
  std::string username, password;
  std::string identity_token;  // an OAuth2 refresh token
  std::string registry_token;  // a bearer token to send as it is
  std::string server_address;
  bool anonymous() const { return username.empty() && identity_token.empty() && registry_token.empty(); }
};

// The header's value: base64url of JSON {username,password,auth,serveraddress,identitytoken,registrytoken}. What cannot
// be read is anonymous, as in dockerd.
Credentials credentials_from_header(std::string_view header);

}  // namespace proa::registry
