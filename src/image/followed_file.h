// A file that is still being written, as a stream: who reads it waits for what is to come, who writes it for nobody.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>

#include "base/stream.h"
#include "image/file_source.h"

namespace proa::image {

class FollowedFile : public ByteSource {
 public:
  explicit FollowedFile(os::Fd file) : file_(std::move(file)) {}

  // The writer's side.
  void grown(std::uint64_t size);        // so many bytes are in the file
  void finish();                         // no more will come
  void fail(std::exception_ptr reason);  // read() throws it, once what was written before is read

  // The reader's side.
  std::size_t read(std::span<std::byte> buffer) override;

 private:
  FileSource file_;
  std::uint64_t read_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t size_ = 0;
  bool finished_ = false;
  std::exception_ptr failure_;
};

}  // namespace proa::image
