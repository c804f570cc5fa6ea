// Runs a program in a root of its own and writes its wall time in milliseconds and the peak of its memory in KiB: from
// a process that has no memory to speak of, because a program inherits the peak of the process it was (getrusage(2),
// ru_maxrss), and because a large process takes long to fork.
//   timed ROOT PROGRAM ARGUMENTS...
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "measure.h"

int main(int count, char** argv) {
  if (count < 3) return 2;
  double begin = now_ms();
  pid_t child = fork();
  if (child == 0) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, 0);
    dup2(null, 1);
    if (chroot(argv[1]) == 0 && chdir("/") == 0) execv(argv[2], argv + 2);
    _exit(127);
  }
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  double took = now_ms() - begin;
  std::printf("%.4f %ld\n", took, usage.ru_maxrss);
  return status != 0;
}
