// proa: the client.
#include <string>
#include <vector>

#include "cli/command.h"
#include "os/fd.h"

int main(int argc, char** argv) {
  proa::os::open_missing_stdio();
  std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return proa::cli::run_program(words);
}
