// `--init`: process 1 of a container. Starts the program, passes signals on to it, reaps what is orphaned to us, and
// ends as the program ended. Static: it runs in any image.
#include <sys/ioctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <initializer_list>

int main(int argc, char** argv) {
  int first = argc > 1 && std::strcmp(argv[1], "--") == 0 ? 2 : 1;
  if (first >= argc) {
    std::fprintf(stderr, "proa-init: no program given\n");
    return 127;
  }
  sigset_t all, before;
  sigfillset(&all);
  // What the processor raises for our own faults stays ours.
  for (int fault : {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU})
    sigdelset(&all, fault);
  sigprocmask(SIG_SETMASK, &all, &before);
  pid_t child = fork();
  if (child < 0) {
    std::perror("proa-init: fork");
    return 126;
  }
  if (child == 0) {
    // Its own process group, in the foreground of the terminal if there is one.
    setpgid(0, 0);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(0, getpid());
    signal(SIGTTOU, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    execvp(argv[first], argv + first);
    std::fprintf(stderr, "proa-init: %s: %s\n", argv[first], std::strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
  }
  for (;;) {
    int number = 0;
    if (sigwait(&all, &number) != 0) continue;
    if (number != SIGCHLD) {
      kill(child, number);
      continue;
    }
    int status = 0;
    pid_t ended = 0;
    while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
      if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
  }
}
