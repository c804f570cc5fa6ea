#include "image/followed_file.h"

#include <algorithm>

namespace proa::image {

void FollowedFile::grown(std::uint64_t size) {
  std::lock_guard lock(mutex_);
  size_ = size;
  changed_.notify_one();
}

void FollowedFile::finish() {
  std::lock_guard lock(mutex_);
  finished_ = true;
  changed_.notify_one();
}

void FollowedFile::fail(std::exception_ptr reason) {
  std::lock_guard lock(mutex_);
  failure_ = std::move(reason);
  changed_.notify_one();
}

std::size_t FollowedFile::read(std::span<std::byte> buffer) {
  std::uint64_t there;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return size_ > read_ || finished_ || failure_; });
    there = size_ - read_;
    if (there == 0 && failure_) std::rethrow_exception(failure_);
  }
  std::size_t got = file_.read(buffer.first(std::min<std::uint64_t>(buffer.size(), there)));
  read_ += got;
  return got;
}

}  // namespace proa::image
