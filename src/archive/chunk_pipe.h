// A bounded pipe between two threads: one writes chunks, the other reads them as a ByteSource.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <vector>

#include "base/stream.h"

namespace proa::archive {

class ChunkPipe : public ByteSource {
 public:
  ChunkPipe(std::size_t chunks, std::size_t chunk_size);

  // The writer's side. An empty buffer to fill, up to chunk_size bytes; empty where the reader has gone. Then
  // commit(size).
  std::span<std::byte> prepare();
  void commit(std::size_t size);
  // No more comes: the end, or (with an exception) read() throws that once all before it is read.
  void close(std::exception_ptr failure = nullptr);

  // The reader's side.
  std::size_t read(std::span<std::byte> buffer) override;
  void abandon();  // the writer is to stop

 private:
  struct Chunk {
    std::vector<std::byte> bytes;
    std::size_t size = 0;
  };
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Chunk> ring_;
  std::size_t written_ = 0, read_ = 0;  // chunks so far
  std::size_t offset_ = 0;              // in the chunk being read
  bool closed_ = false, abandoned_ = false;
  std::exception_ptr failure_;
};

}  // namespace proa::archive
