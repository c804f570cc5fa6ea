// proad from its settings to its end: pid file, sockets, engine, signals.
#pragma once

#include <span>
#include <string>

#include "engine/config.h"

namespace proa::server {

// Serves until SIGTERM or SIGINT; containers run on. SIGHUP reads the settings again, from the same arguments and file.
// Throws what keeps it from starting.
void run_daemon(const engine::Config& config, std::span<const std::string> arguments);

}  // namespace proa::server
