// The registry: see registry_server/program.h.
#include "registry_server/program.h"

int main(int argc, char** argv) { return proa::registry_server::run_program({argv + 1, argv + argc}); }
