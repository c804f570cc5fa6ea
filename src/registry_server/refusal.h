// What the registry says no with: a status and the distribution specification's error document.
#pragma once

#include <string>
#include <utility>

#include "base/json.h"

namespace proa::registry_server {

struct Refusal {
  int status;
  std::string code, message;  // "BLOB_UNKNOWN", "blob unknown to registry"
  Json detail = nullptr;      // what of: in docker-registry's form, where it has one
};

}  // namespace proa::registry_server
