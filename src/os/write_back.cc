#include "os/write_back.h"

#include <fcntl.h>

namespace proa::os {

namespace {
constexpr std::uint64_t kPiece = 8 << 20;
}

void WriteBack::written(int file, std::uint64_t end) {
  if (end < started_ + kPiece) return;
  ::sync_file_range(file, static_cast<off_t>(started_), static_cast<off_t>(end - started_), SYNC_FILE_RANGE_WRITE);
  started_ = end;
}

}  // namespace proa::os
