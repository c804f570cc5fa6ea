// Bytes from one thread to another, a bounded number of them under way.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <vector>

#include "base/stream.h"

namespace proa::image {

class BytePipe : public ByteSource {
 public:
  explicit BytePipe(std::size_t capacity) : ring_(capacity) {}

  // The writer's side. write() waits for room; once the reader has gone it drops what it is given.
  void write(std::span<const std::byte> bytes);
  void finish();                         // the end, as it should be
  void fail(std::exception_ptr reason);  // read() throws it, once what was written before is read

  // The reader's side.
  std::size_t read(std::span<std::byte> buffer) override;
  void close_reader();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::byte> ring_;
  std::size_t begin_ = 0, filled_ = 0;
  bool finished_ = false, reader_gone_ = false;
  std::exception_ptr failure_;
};

}  // namespace proa::image
