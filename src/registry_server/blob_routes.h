// /v2/<name>/blobs/ and blobs/uploads/.
#pragma once

#include <string>

#include "registry_server/exchange.h"

namespace proa::registry_server {

void serve_blob(Exchange& exchange, const std::string& digest);
void serve_upload(Exchange& exchange, const std::string& id);  // "": a new one

}  // namespace proa::registry_server
