#include "archive/chunk_pipe.h"

#include <algorithm>
#include <cstring>

namespace proa::archive {

ChunkPipe::ChunkPipe(std::size_t chunks, std::size_t chunk_size) : ring_(chunks) {
  for (auto& chunk : ring_) chunk.bytes.resize(chunk_size);
}

std::span<std::byte> ChunkPipe::prepare() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return abandoned_ || written_ - read_ < ring_.size(); });
  if (abandoned_) return {};
  return ring_[written_ % ring_.size()].bytes;
}

void ChunkPipe::commit(std::size_t size) {
  std::lock_guard lock(mutex_);
  ring_[written_ % ring_.size()].size = size;
  ++written_;
  changed_.notify_all();
}

void ChunkPipe::close(std::exception_ptr failure) {
  std::lock_guard lock(mutex_);
  closed_ = true;
  failure_ = failure;
  changed_.notify_all();
}

void ChunkPipe::abandon() {
  std::lock_guard lock(mutex_);
  abandoned_ = true;
  changed_.notify_all();
}

std::size_t ChunkPipe::read(std::span<std::byte> buffer) {
  Chunk* chunk;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return written_ > read_ || closed_; });
    if (written_ == read_) {
      if (failure_) std::rethrow_exception(failure_);
      return 0;
    }
    chunk = &ring_[read_ % ring_.size()];
  }
  // The writer does not touch a chunk between commit() and the count below.
  std::size_t size = std::min(buffer.size(), chunk->size - offset_);
  std::memcpy(buffer.data(), chunk->bytes.data() + offset_, size);
  offset_ += size;
  if (offset_ == chunk->size) {
    std::lock_guard lock(mutex_);
    offset_ = 0;
    ++read_;
    changed_.notify_all();
  }
  return size;
}

}  // namespace proa::archive
