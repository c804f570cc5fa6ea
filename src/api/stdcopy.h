// The multiplexed stream of attach, exec and logs without a terminal (engine-api 5.2).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace proa::api {

enum class StreamType : std::uint8_t { Stdin = 0, Stdout = 1, Stderr = 2, SystemError = 3 };

inline constexpr std::size_t kFrameHeader = 8;
std::array<char, kFrameHeader> frame_header(StreamType type, std::uint32_t size);
std::string frame(StreamType type, std::string_view payload);

// Takes the stream in pieces of any size, gives payloads as they come (a frame may be given in several pieces).
class FrameReader {
 public:
  // Appends `bytes`; then next() until it is nullopt.
  void push(std::string_view bytes) { pending_ += bytes; }
  struct Piece {
    StreamType type;
    std::string payload;
  };
  // Throws DataLoss for a header that is none.
  std::optional<Piece> next();
  bool inside_frame() const { return left_ > 0 || !pending_.empty(); }

 private:
  std::string pending_;
  StreamType type_ = StreamType::Stdout;
  std::uint32_t left_ = 0;
};

}  // namespace proa::api
