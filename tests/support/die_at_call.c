/* Preloaded into a daemon: it dies at the Nth of the calls that order, publish or copy what is on a disk, counted over all its
 * threads. (strace's `inject=...:when=N` counts per thread: the first calls of the later threads would never be reached.)
 *
 * DIE_AT_CALL names a file of struct control. The test reads `calls` and writes `target`; at that call, before or after it
 * is made, the process kills itself. With DIE_AT_CALL_SENDS what is sent counts too: of those who only read and send, as a
 * push does. Where DIE_AT_CALL_SHUTDOWN names a directory, its file system (ext4) loses all that
 * was not flushed first: EXT4_IOC_SHUTDOWN without a flush of the log, as a power failure does it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct control {
  atomic_uint_fast64_t calls;
  atomic_uint_fast64_t flushed; /* calls of fsync and its like that have returned */
  atomic_uint_fast64_t target;  /* 0: never */
  uint64_t after;               /* 0: die before the call, 1: after it */
};

#define SHUTDOWN _IOR('X', 125, uint32_t)
#define NO_LOG_FLUSH 2u

static struct control* control;
static int disk = -1;
static int sends;

__attribute__((constructor)) static void begin(void) {
  const char* path = getenv("DIE_AT_CALL");
  const char* directory = getenv("DIE_AT_CALL_SHUTDOWN");
  int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) return;
  void* page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (page == MAP_FAILED) return;
  if (directory) disk = open(directory, O_RDONLY | O_CLOEXEC);
  sends = getenv("DIE_AT_CALL_SENDS") != NULL;
  control = page;
  unsetenv("LD_PRELOAD"); /* what the daemon starts lives */
}

static void die(void) {
  uint32_t how = NO_LOG_FLUSH;
  if (disk >= 0 && ioctl(disk, SHUTDOWN, &how) != 0) abort();
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

enum kind { FLUSH, NAME, SEND };

static uint64_t before_call(enum kind kind) {
  if (!control || (kind == SEND && !sends)) return 0;
  uint64_t number = atomic_fetch_add(&control->calls, 1) + 1;
  if (number == control->target && !control->after) die();
  return number;
}

static void after_call(enum kind kind, uint64_t number) {
  if (number == 0) return;
  if (number == control->target) die();
  if (kind == FLUSH) atomic_fetch_add(&control->flushed, 1);
}

#define COUNTED(kind, type, name, declared, given)                \
  type name declared {                                            \
    static type(*real) declared;                                  \
    if (!real) real = (type(*) declared)dlsym(RTLD_NEXT, #name);  \
    uint64_t number = before_call(kind);                          \
    type result = real given;                                     \
    after_call(kind, number);                                     \
    return result;                                                \
  }

COUNTED(FLUSH, int, fsync, (int fd), (fd))
COUNTED(FLUSH, int, fdatasync, (int fd), (fd))
COUNTED(FLUSH, int, syncfs, (int fd), (fd))
COUNTED(NAME, int, rename, (const char* from, const char* to), (from, to))
COUNTED(NAME, int, renameat, (int a, const char* from, int b, const char* to), (a, from, b, to))
COUNTED(NAME, int, renameat2, (int a, const char* from, int b, const char* to, unsigned flags), (a, from, b, to, flags))
COUNTED(NAME, int, unlink, (const char* path), (path))
COUNTED(NAME, int, unlinkat, (int fd, const char* path, int flags), (fd, path, flags))
COUNTED(NAME, int, mkdir, (const char* path, mode_t mode), (path, mode))
COUNTED(NAME, int, mkdirat, (int fd, const char* path, mode_t mode), (fd, path, mode))
COUNTED(NAME, ssize_t, copy_file_range, (int from, off_t* a, int to, off_t* b, size_t size, unsigned flags), (from, a, to, b, size, flags))
COUNTED(SEND, ssize_t, send, (int fd, const void* bytes, size_t size, int flags), (fd, bytes, size, flags))
COUNTED(SEND, ssize_t, sendmsg, (int fd, const struct msghdr* message, int flags), (fd, message, flags))
COUNTED(SEND, ssize_t, sendfile, (int to, int from, off_t* at, size_t size), (to, from, at, size))
