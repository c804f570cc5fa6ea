#include "api/stdcopy.h"

#include <algorithm>

#include "base/error.h"

namespace proa::api {

std::array<char, kFrameHeader> frame_header(StreamType type, std::uint32_t size) {
  return {static_cast<char>(type),
          0,
          0,
          0,
          static_cast<char>(size >> 24),
          static_cast<char>(size >> 16),
          static_cast<char>(size >> 8),
          static_cast<char>(size)};
}

std::string frame(StreamType type, std::string_view payload) {
  auto header = frame_header(type, static_cast<std::uint32_t>(payload.size()));
  std::string out(header.data(), header.size());
  out += payload;
  return out;
}

std::optional<FrameReader::Piece> FrameReader::next() {
  while (left_ == 0) {
    if (pending_.size() < kFrameHeader) return std::nullopt;
    auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(pending_[i])); };
    if (byte(0) > 3) throw Error(ErrorKind::DataLoss, "unrecognized input header: " + std::to_string(byte(0)));
    type_ = static_cast<StreamType>(byte(0));
    left_ = byte(4) << 24 | byte(5) << 16 | byte(6) << 8 | byte(7);
    pending_.erase(0, kFrameHeader);
  }
  if (pending_.empty()) return std::nullopt;
  std::size_t size = std::min<std::size_t>(left_, pending_.size());
  Piece piece{type_, pending_.substr(0, size)};
  pending_.erase(0, size);
  left_ -= static_cast<std::uint32_t>(size);
  return piece;
}

}  // namespace proa::api
