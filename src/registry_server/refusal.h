// What the registry says no with: a status and the distribution specification's error document.
#pragma once

#include <string>
#include <utility>

namespace proa::registry_server {

struct Refusal {
  int status;
  std::string code, message;  // "BLOB_UNKNOWN", "blob unknown to registry"
};

}  // namespace proa::registry_server
