#include "shim/backlog.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace proa::shim {

bool Backlog::spill(std::string_view bytes) {
  if (directory_.empty()) return false;
  if (!file_) file_ = os::Fd(::open(directory_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file_) return false;
  std::size_t done = 0;
  while (done < bytes.size()) {
    ssize_t wrote =
        ::pwrite(file_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(file_end_ + done));
    if (wrote <= 0) return false;  // disk full: what was written is past file_end_ and does not count
    done += static_cast<std::size_t>(wrote);
  }
  file_end_ += bytes.size();
  return true;
}

void Backlog::put(std::string_view bytes) {
  bool in_file = file_end_ > file_begin_;
  if (!late_.empty()) {
    late_ += bytes;
  } else if (!in_file && memory_.size() - begin_ < kMemory) {
    memory_ += bytes;
  } else if (!spill(bytes)) {
    late_ += bytes;
  }
}

std::string_view Backlog::front() {
  if (begin_ < memory_.size()) return std::string_view(memory_).substr(begin_);
  begin_ = 0;
  memory_.clear();
  if (file_end_ > file_begin_) {
    memory_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(file_end_ - file_begin_, 256 << 10)));
    ssize_t got = ::pread(file_.get(), memory_.data(), memory_.size(), static_cast<off_t>(file_begin_));
    memory_.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    file_begin_ = got > 0 ? file_begin_ + memory_.size() : file_end_;
  }
  if (file_ && file_begin_ == file_end_) {
    file_.reset();  // gives its blocks back
    file_begin_ = file_end_ = 0;
  }
  if (memory_.empty()) memory_.swap(late_);
  return memory_;
}

void Backlog::drop(std::size_t count) {
  begin_ += count;
  if (begin_ == memory_.size()) {
    std::string().swap(memory_);
    begin_ = 0;
  } else if (begin_ > kMemory / 2) {
    memory_.erase(0, begin_);
    begin_ = 0;
  }
}

}  // namespace proa::shim
