// The daemon: see server/daemon.h.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/config.h"
#include "os/fd.h"
#include "server/daemon.h"

int main(int argc, char** argv) {
  using namespace proa;
  os::open_missing_stdio();
  std::vector<std::string> arguments(argv + 1, argv + argc);
  engine::Config config;
  try {
    config = engine::read_config(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  if (config.show_help) return std::fputs(engine::config_usage().c_str(), stdout), 0;
  if (config.show_version) return std::puts("Proa version " PROA_VERSION), 0;
  if (config.validate_only) return std::puts("configuration OK"), 0;
  try {
    server::run_daemon(config, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "failed to start daemon: %s\n", error.what());
    return 1;
  }
  return 0;
}
