#include "archive/fast_gzip.h"

#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace proa::archive {

namespace {

constexpr int kLevel = 2;

}  // namespace

struct FastGzipSink::State {
  explicit State(ByteSink& sink) : to(sink), level_buffer(ISAL_DEF_LVL2_DEFAULT), out(256 << 10) {
    isal_deflate_init(&stream);
    stream.level = kLevel;
    stream.level_buf = level_buffer.data();
    stream.level_buf_size = static_cast<std::uint32_t>(level_buffer.size());
    stream.gzip_flag = IGZIP_GZIP;
  }

  void run(std::span<const std::byte> in, bool end) {
    stream.next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(in.data()));
    stream.avail_in = static_cast<std::uint32_t>(in.size());
    stream.end_of_stream = end;
    do {
      stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
      stream.avail_out = static_cast<std::uint32_t>(out.size());
      if (int result = isal_deflate(&stream); result != COMP_OK)
        throw Error(ErrorKind::Internal, cat("gzip: deflate failed: ", result));
      if (std::size_t size = out.size() - stream.avail_out; size > 0) to.write(std::span(out).first(size));
    } while (stream.avail_out == 0 || (end && stream.internal_state.state != ZSTATE_END));
  }

  ByteSink& to;
  std::vector<std::uint8_t> level_buffer;
  std::vector<std::byte> out;
  isal_zstream stream;
};

FastGzipSink::FastGzipSink(ByteSink& to) : state_(std::make_unique<State>(to)) {}
FastGzipSink::~FastGzipSink() = default;

void FastGzipSink::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    auto piece = bytes.first(std::min<std::size_t>(bytes.size(), 1 << 30));
    state_->run(piece, false);
    bytes = bytes.subspan(piece.size());
  }
}

void FastGzipSink::finish() { state_->run({}, true); }

}  // namespace proa::archive
