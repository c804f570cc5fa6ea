#include "archive/compress.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "archive/codec.h"
#include "base/error.h"
#include "base/text.h"

namespace proa::archive {

std::string_view to_string(Compression compression) {
  switch (compression) {
    case Compression::None:
      return "none";
    case Compression::Gzip:
      return "gzip";
    case Compression::Zstd:
      return "zstd";
    case Compression::Xz:
      return "xz";
    case Compression::Bzip2:
      return "bzip2";
  }
  return "none";
}

Compression sniff(std::span<const std::byte> start) {
  auto begins = [&](std::string_view magic) {
    return start.size() >= magic.size() && std::memcmp(start.data(), magic.data(), magic.size()) == 0;
  };
  if (begins("\x1f\x8b\x08")) return Compression::Gzip;
  if (begins("\x28\xb5\x2f\xfd")) return Compression::Zstd;
  // A skippable zstd frame: any of 16 first bytes.
  if (start.size() >= 4 && (start[0] & std::byte{0xf0}) == std::byte{0x50} &&
      std::memcmp(&start[1], "\x2a\x4d\x18", 3) == 0) {
    return Compression::Zstd;
  }
  if (begins(std::string_view("\xfd"
                              "7zXZ\0",
                              6)))
    return Compression::Xz;
  if (begins("BZh")) return Compression::Bzip2;
  return Compression::None;
}

namespace {

constexpr std::size_t kInput = 128 << 10;
constexpr std::size_t kMagic = 6;

std::unique_ptr<Codec> make_codec(Compression compression) {
  switch (compression) {
    case Compression::Gzip:
      return make_gzip_codec();
    case Compression::Zstd:
      return make_zstd_codec();
    case Compression::Xz:
      return make_xz_codec();
    case Compression::Bzip2:
      return make_bzip2_codec();
    case Compression::None:
      break;
  }
  return nullptr;
}

}  // namespace

struct Decompressor::State {
  explicit State(ByteSource& source) : from(source), buffer(kInput) {}

  ByteSource& from;
  std::vector<std::byte> buffer;
  std::size_t begin = 0, end = 0;
  bool ended = false;    // of `from`
  bool started = false;  // sniffed
  bool between = false;  // a member has ended, no other has begun
  Compression compression = Compression::None;
  std::unique_ptr<Codec> codec;

  std::span<const std::byte> input() const { return std::span(buffer).subspan(begin, end - begin); }

  // At least `wanted` (≤ kMagic) bytes of input, or all there are.
  void fill(std::size_t wanted) {
    if (end - begin >= wanted || ended) return;
    std::memmove(buffer.data(), buffer.data() + begin, end - begin);
    end -= begin;
    begin = 0;
    while (end < wanted && !ended) {
      std::size_t got = from.read(std::span(buffer).subspan(end));
      ended = got == 0;
      end += got;
    }
  }

  // After a member: false if that was the last one.
  bool next_member() {
    for (;;) {
      fill(1);
      if (begin == end) return false;
      if (buffer[begin] != std::byte{0}) break;
      ++begin;
    }
    fill(kMagic);
    if (sniff(input()) != compression) {
      throw Error(ErrorKind::InvalidArgument, cat(to_string(compression), ": data after the end of the stream"));
    }
    codec->reset();
    between = false;
    return true;
  }

  std::size_t read_plain(std::span<std::byte> out) {
    if (begin == end) return ended ? 0 : from.read(out);
    std::size_t size = std::min(out.size(), end - begin);
    std::memcpy(out.data(), buffer.data() + begin, size);
    begin += size;
    return size;
  }
};

Decompressor::Decompressor(ByteSource& from) : state_(std::make_unique<State>(from)) {}
Decompressor::~Decompressor() = default;
Compression Decompressor::compression() const { return state_->compression; }

std::size_t Decompressor::read(std::span<std::byte> out) {
  State& s = *state_;
  if (!s.started) {
    s.fill(kMagic);
    s.compression = sniff(s.input());
    s.codec = make_codec(s.compression);
    s.started = true;
  }
  if (!s.codec) return s.read_plain(out);
  if (out.empty()) return 0;
  for (;;) {
    if (s.between && !s.next_member()) return 0;
    s.fill(1);
    Codec::Step step = s.codec->run(s.input(), out);
    s.begin += step.consumed;
    s.between = step.end;
    if (step.produced > 0) return step.produced;
    if (!step.end && step.consumed == 0 && s.begin == s.end && s.ended) {
      throw Error(ErrorKind::InvalidArgument, cat(to_string(s.compression), ": unexpected end of the stream"));
    }
    if (!step.end && step.consumed == 0 && s.begin != s.end) {
      throw Error(ErrorKind::InvalidArgument, cat(to_string(s.compression), ": invalid data"));
    }
  }
}

}  // namespace proa::archive
