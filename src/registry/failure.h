// A registry's refusals and the network's, in the words docker's users know.
#pragma once

#include <string>

#include "base/error.h"
#include "oci/reference.h"
#include "registry/transport.h"

namespace proa::registry {

struct FailedRequest {
  std::string what;  // "manifest", "blob", "token", "tags"
  Url url;
  std::string method = "GET";
  oci::Reference reference = {};  // what the user asked for; empty for a token
  bool push = false;
};
// "Get", as Go's http client begins its errors.
std::string method_word(const std::string& method);
// "401 Unauthorized"
std::string status_words(int status);

// What a registry's error body says: {"errors":[{"code","message"}]} or {"details"} of a token server.
struct RegistryError {
  std::string code;     // "MANIFEST_UNKNOWN"
  std::string message;  // "manifest unknown"
};
RegistryError parse_error_body(const Response& response);

// Throws the Error for a status that is not a success.
[[noreturn]] void throw_status(const Response& response, const FailedRequest& failed);
// ... for what failed below HTTP.
[[noreturn]] void throw_transport(const TransportError& error, const FailedRequest& failed);

}  // namespace proa::registry
