// The registry: see registry_server/program.h.
#include "os/fd.h"
#include "registry_server/program.h"

int main(int argc, char** argv) {
  proa::os::open_missing_stdio();
  return proa::registry_server::run_program({argv + 1, argv + argc});
}
