// The daemon's HTTP handler: versions, routes, errors, common headers, and the span of each request.
#pragma once

#include "engine/engine.h"
#include "http/server.h"

namespace proa::server {

http::Handler make_handler(engine::Engine& engine);

}  // namespace proa::server
