// A static program for test images: tools stamp | udp-echo PORT | syscall NUMBER | shm-put KEY TEXT | shm-get KEY |
// notify TEXT | scheduler
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// The time at which this program runs, as CLOCK_MONOTONIC nanoseconds.
static int stamp(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  printf("%lld\n", now.tv_sec * 1000000000LL + now.tv_nsec);
  return 0;
}

static int udp_echo(int port) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)}, peer;
  if (bind(fd, (struct sockaddr*)&name, sizeof name) < 0) return 1;
  puts("ready");
  fflush(stdout);
  for (;;) {
    char data[2048];
    socklen_t size = sizeof peer;
    ssize_t got = recvfrom(fd, data, sizeof data, 0, (struct sockaddr*)&peer, &size);
    if (got > 0) sendto(fd, data, got, 0, (struct sockaddr*)&peer, size);
  }
}

// Calls a system call with zeros and prints the name of what came back.
static int call(long number) {
  errno = 0;
  syscall(number, 0, 0, 0, 0, 0, 0);
  printf("%s\n", errno == EPERM ? "EPERM" : errno == ENOSYS ? "ENOSYS" : errno == 0 ? "ok" : "other");
  return 0;
}

// A System V segment of one page; without a text, what is in it.
static int shared_memory(int key, const char* text) {
  int id = shmget(key, 4096, text ? IPC_CREAT | 0600 : 0);
  char* memory = id < 0 ? (char*)-1 : shmat(id, NULL, 0);
  if (memory == (char*)-1) return perror("shared memory"), 1;
  if (text)
    strncpy(memory, text, 4095);
  else
    puts(memory);
  return 0;
}

// sd_notify(3), without a library.
static int notify(const char* text) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  strncpy(name.sun_path, getenv("NOTIFY_SOCKET"), sizeof name.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (sendto(fd, text, strlen(text), 0, (struct sockaddr*)&name, sizeof name) < 0) return perror("notify"), 1;
  return 0;
}

// sched_getattr(2) of this process: policy, flags, nice, priority, runtime, deadline, period.
static int scheduler(void) {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attr;
  if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) < 0) return perror("sched_getattr"), 1;
  printf("%u %llu %d %u %llu %llu %llu\n", attr.policy, (unsigned long long)attr.flags, attr.nice, attr.priority,
         (unsigned long long)attr.runtime, (unsigned long long)attr.deadline, (unsigned long long)attr.period);
  return 0;
}

int main(int argc, char** argv) {
  if (argc > 1 && !strcmp(argv[1], "stamp")) return stamp();
  if (argc > 2 && !strcmp(argv[1], "udp-echo")) return udp_echo(atoi(argv[2]));
  if (argc > 2 && !strcmp(argv[1], "syscall")) return call(atol(argv[2]));
  if (argc > 3 && !strcmp(argv[1], "shm-put")) return shared_memory(atoi(argv[2]), argv[3]);
  if (argc > 2 && !strcmp(argv[1], "shm-get")) return shared_memory(atoi(argv[2]), NULL);
  if (argc > 2 && !strcmp(argv[1], "notify")) return notify(argv[2]);
  if (argc > 1 && !strcmp(argv[1], "scheduler")) return scheduler();
  return 2;
}
