#include "shim/footprint.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace proa::shim {
namespace {

struct Range {
  std::uintptr_t begin = 0, length = 0;
};
struct Ranges {
  Range items[8];
  int count = 0;
};

constexpr std::uintptr_t kPage = 4096;

// Segments that are never written are private mappings of the file without a page of their own: dropping them loses
// nothing. (RELRO lies in a writable segment, its relocated pages must stay.)
int find_code(dl_phdr_info* info, std::size_t, void* out) {
  auto& ranges = *static_cast<Ranges*>(out);
  for (int i = 0; i < info->dlpi_phnum && ranges.count < 7; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD || header.p_flags & PF_W) continue;
    std::uintptr_t begin = (info->dlpi_addr + header.p_vaddr) & ~(kPage - 1);
    std::uintptr_t end = (info->dlpi_addr + header.p_vaddr + header.p_memsz) & ~(kPage - 1);
    if (end > begin) ranges.items[ranges.count++] = {begin, end - begin};
  }
  return 1;  // the first is the program; it has no others
}

[[gnu::always_inline]] inline long call4(long number, long a, long b, long c, long d) {
#ifdef __x86_64__
  long result;
  register long r10 asm("r10") = d;
  asm volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return result;
#else
  long result = ::syscall(number, a, b, c, d, nullptr, 0);
  return result < 0 ? -errno : result;
#endif
}

[[gnu::noinline, gnu::aligned(1024)]] long drop_and_wait(const Ranges& ranges, int epoll, epoll_event* events,
                                                         int count, int timeout_ms) {
  for (int i = 0; i < ranges.count; ++i) {
    call4(SYS_madvise, static_cast<long>(ranges.items[i].begin), static_cast<long>(ranges.items[i].length),
          MADV_DONTNEED, 0);
  }
#ifdef __x86_64__
  return call4(SYS_epoll_wait, epoll, reinterpret_cast<long>(events), count, timeout_ms);
#else
  return call4(SYS_epoll_pwait, epoll, reinterpret_cast<long>(events), count, timeout_ms);
#endif
}

}  // namespace

int wait_small(int epoll, epoll_event* events, int count, int timeout_ms) {
  ::malloc_trim(0);
  Ranges ranges;
  ::dl_iterate_phdr(find_code, &ranges);
  // The stack below us, as deep as it ever was; what is not mapped there is skipped by the kernel. (A red zone and
  // drop_and_wait's frame stay.)
  auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) & ~(kPage - 1);
  constexpr std::uintptr_t kDepth = 256 << 10;
  ranges.items[ranges.count++] = {here - kDepth, kDepth - kPage};
  long result = drop_and_wait(ranges, epoll, events, count, timeout_ms);
  if (result >= 0) return static_cast<int>(result);
  errno = static_cast<int>(-result);
  return -1;
}

}  // namespace proa::shim
