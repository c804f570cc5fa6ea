#include "shim/footprint.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace proa::shim {
namespace {

// Segments that are never written are private mappings of the file without a page of their own: dropping them loses
// nothing. (RELRO lies in a writable segment, its relocated pages must stay.)
int drop_code(dl_phdr_info* info, std::size_t, void*) {
  auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD || header.p_flags & PF_W) continue;
    std::uintptr_t begin = (info->dlpi_addr + header.p_vaddr) & ~(page - 1);
    std::uintptr_t end = (info->dlpi_addr + header.p_vaddr + header.p_memsz) & ~(page - 1);
    if (end > begin) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 1;  // the first is the program; it has no others
}

}  // namespace

void shed_memory() {
  ::malloc_trim(0);
  ::dl_iterate_phdr(drop_code, nullptr);
}

}  // namespace proa::shim
