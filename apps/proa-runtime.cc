// The OCI runtime: runc's command line (runtime/cli.h).
#include <sys/prctl.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "runtime/cli.h"

int main(int argc, char** argv) {
  ::prctl(PR_SET_NAME, "proa-runtime");  // it may have been executed by a descriptor's number
  try {
    return proa::runtime::runtime_main(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "proa-runtime: %s\n", error.what());
    return 1;
  }
}
