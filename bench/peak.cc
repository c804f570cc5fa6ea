// Runs a program and writes the peak of its memory in KiB: from a process that has none of its own to speak of, because
// a program inherits the peak of the process it was (getrusage(2), ru_maxrss).
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

int main(int, char** argv) {
  pid_t child = fork();
  if (child == 0) {
    execv(argv[1], argv + 1);
    _exit(127);
  }
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  std::fprintf(stderr, "%ld\n", usage.ru_maxrss);
  return status != 0;
}
