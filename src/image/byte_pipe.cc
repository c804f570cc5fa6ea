#include "image/byte_pipe.h"

#include <algorithm>
#include <cstring>

namespace proa::image {

void BytePipe::write(std::span<const std::byte> bytes) {
  std::unique_lock lock(mutex_);
  while (!bytes.empty()) {
    changed_.wait(lock, [&] { return reader_gone_ || filled_ < ring_.size(); });
    if (reader_gone_) return;
    std::size_t end = (begin_ + filled_) % ring_.size();
    std::size_t room = std::min(ring_.size() - filled_, ring_.size() - end);
    std::size_t count = std::min(room, bytes.size());
    std::memcpy(ring_.data() + end, bytes.data(), count);
    filled_ += count;
    bytes = bytes.subspan(count);
    changed_.notify_all();
  }
}

void BytePipe::finish() {
  std::lock_guard lock(mutex_);
  finished_ = true;
  changed_.notify_all();
}

void BytePipe::fail(std::exception_ptr reason) {
  std::lock_guard lock(mutex_);
  failure_ = std::move(reason);
  changed_.notify_all();
}

std::size_t BytePipe::read(std::span<std::byte> buffer) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return filled_ > 0 || finished_ || failure_; });
  if (filled_ == 0 && failure_) std::rethrow_exception(failure_);
  std::size_t count = std::min({filled_, buffer.size(), ring_.size() - begin_});
  if (count == 0) return 0;
  std::memcpy(buffer.data(), ring_.data() + begin_, count);
  begin_ = (begin_ + count) % ring_.size();
  filled_ -= count;
  changed_.notify_all();
  return count;
}

void BytePipe::close_reader() {
  std::lock_guard lock(mutex_);
  reader_gone_ = true;
  changed_.notify_all();
}

}  // namespace proa::image
