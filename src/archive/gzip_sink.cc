#include <zlib.h>

#include <new>
#include <vector>

#include "archive/compress.h"
#include "base/error.h"

namespace proa::archive {

struct GzipSink::State {
  explicit State(ByteSink& sink) : to(sink), buffer(64 << 10) {}
  ~State() { deflateEnd(&stream); }

  void run(int flush) {
    int result;
    do {
      stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream.avail_out = static_cast<uInt>(buffer.size());
      result = deflate(&stream, flush);
      if (result == Z_STREAM_ERROR) throw Error(ErrorKind::Internal, "gzip: deflate failed");
      to.write(std::span(buffer).first(buffer.size() - stream.avail_out));
    } while (stream.avail_out == 0 || (flush == Z_FINISH && result != Z_STREAM_END));
  }

  ByteSink& to;
  std::vector<std::byte> buffer;
  z_stream stream{};
};

GzipSink::GzipSink(ByteSink& to, int level) : state_(std::make_unique<State>(to)) {
  constexpr int kGzipWrapper = 16 + MAX_WBITS;
  if (deflateInit2(&state_->stream, level, Z_DEFLATED, kGzipWrapper, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
}
GzipSink::~GzipSink() = default;

void GzipSink::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    auto piece = bytes.first(std::min<std::size_t>(bytes.size(), 1 << 30));
    state_->stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(piece.data()));
    state_->stream.avail_in = static_cast<uInt>(piece.size());
    state_->run(Z_NO_FLUSH);
    bytes = bytes.subspan(piece.size());
  }
}

void GzipSink::finish() { state_->run(Z_FINISH); }

}  // namespace proa::archive
