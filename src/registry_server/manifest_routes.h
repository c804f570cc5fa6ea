// /v2/<name>/manifests/, tags/list and referrers/.
#pragma once

#include <string>

#include "registry_server/exchange.h"

namespace proa::registry_server {

void serve_manifest(Exchange& exchange, const std::string& reference);
void serve_tags(Exchange& exchange);
void serve_referrers(Exchange& exchange, const std::string& digest);

}  // namespace proa::registry_server
