#include "image/inflater.h"

#include <optional>

#include "base/error.h"
#include "base/time.h"

namespace proa::image {

namespace {
constexpr std::size_t kChunks = 8, kChunkSize = 256 << 10;
}

std::int64_t megabytes_per_second(std::uint64_t bytes, std::int64_t nanos) {
  return nanos > 0 ? static_cast<std::int64_t>(static_cast<double>(bytes) * 1000.0 / static_cast<double>(nanos)) : 0;
}

Inflater::Inflater(ByteSource& compressed, const std::function<void(std::uint64_t)>& progress, Hashing hashing,
                   std::stop_token stop)
    : counted_(compressed, progress),
      plain_(counted_),
      pipe_(kChunks, kChunkSize),
      hashing_(hashing),
      stop_(std::move(stop)),
      recorder_(trace::current()),
      parent_(trace::current_parent()),
      thread_([this] { run(); }) {}

Inflater::~Inflater() {
  pipe_.abandon();
  if (thread_.joinable()) thread_.join();
}

oci::Digest Inflater::finish() {
  thread_.join();
  return oci::Digest::from_hex(hash_.hex());
}

void Inflater::run() {
  std::optional<trace::Scope> scope;
  if (recorder_) scope.emplace(*recorder_, parent_);
  trace::Span span("layer.inflate");
  std::int64_t start = monotonic_now();
  try {
    while (inflate_chunk()) {
    }
    pipe_.close();
  } catch (...) {
    pipe_.close(std::current_exception());
  }
  span.set("compression", std::string(archive::to_string(plain_.compression())));
  span.set("in", static_cast<std::int64_t>(counted_.size()));
  span.set("out", static_cast<std::int64_t>(size_));
  span.set("MB/s", megabytes_per_second(size_, monotonic_now() - start));
}

bool Inflater::inflate_chunk() {
  auto room = pipe_.prepare();
  if (room.empty()) return false;
  std::size_t size = 0;
  while (size < room.size()) {
    if (stop_.stop_requested()) throw Error(ErrorKind::Cancelled, "unpacking was cancelled");
    std::size_t got = plain_.read(room.subspan(size));
    if (got == 0) break;
    size += got;
  }
  if (size == 0) return false;
  if (hashing_ == Hashing::WhileInflating) hash_.update(room.first(size));
  size_ += size;
  pipe_.commit(size);
  return true;
}

}  // namespace proa::image
