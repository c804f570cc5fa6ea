// For tests: tar archives written field by field, so that they can be wrong in any way. Not made with TarWriter on
// purpose.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "base/stream.h"

namespace proa::archive::raw {

struct Entry {
  std::string name = {};
  char type = '0';
  std::string link = {}, content = {};
  std::string mode = "0000755", uid = "0000000", gid = "0000000";
  std::string size = {};  // "": of content
  std::string mtime = "00000000001";
  std::string major = "0000000", minor = "0000000";
  std::string magic = std::string("ustar\00000", 8);
  std::string checksum = {};  // "": the right one
  std::string at386 = {};     // over the prefix field: GNU's sparse map
  bool pad = true;
};

inline std::string octal(std::uint64_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
  return text;
}

inline std::string base256(std::uint64_t value, std::size_t size, bool negative = false) {
  std::string field(size, negative ? '\xff' : '\0');
  for (std::size_t i = 0; i < 8 && i < size; ++i) field[size - 1 - i] = static_cast<char>(value >> (8 * i));
  field[0] = static_cast<char>(static_cast<unsigned char>(field[0]) | 0x80);
  return field;
}

inline std::string operator+(std::string out, const Entry& entry) {
  char block[512] = {};
  auto put = [&](std::size_t offset, std::size_t size, const std::string& text) {
    std::memcpy(block + offset, text.data(), std::min(size, text.size()));
  };
  put(0, 100, entry.name);
  put(100, 8, entry.mode);
  put(108, 8, entry.uid);
  put(116, 8, entry.gid);
  put(124, 12, entry.size.empty() ? octal(entry.content.size(), 11) : entry.size);
  put(136, 12, entry.mtime);
  block[156] = entry.type;
  put(157, 100, entry.link);
  put(257, 8, entry.magic);
  put(329, 8, entry.major);
  put(337, 8, entry.minor);
  put(386, 126, entry.at386);
  std::memset(block + 148, ' ', 8);
  unsigned sum = 0;
  for (char c : block) sum += static_cast<unsigned char>(c);
  put(148, 8, entry.checksum.empty() ? octal(sum, 6) + std::string("\0 ", 2) : entry.checksum);
  out.append(block, 512);
  out += entry.content;
  if (entry.pad) out.append((512 - entry.content.size() % 512) % 512, '\0');
  return out;
}

inline std::string pax(std::string_view key, std::string_view value) {
  std::size_t size = key.size() + value.size() + 3;
  for (std::size_t digits = 1;; ++digits) {
    if (std::to_string(size + digits).size() == digits) {
      return std::to_string(size + digits) + " " + std::string(key) + "=" + std::string(value) + "\n";
    }
  }
}

inline Entry pax_header(std::string records, char type = 'x') {
  return {.name = "PaxHeaders.0/x", .type = type, .content = std::move(records)};
}
inline Entry directory(std::string name) { return {.name = std::move(name), .type = '5'}; }
inline Entry file(std::string name, std::string content = "x") {
  return {.name = std::move(name), .content = std::move(content), .mode = "0000644"};
}
inline Entry symlink(std::string name, std::string target) {
  return {.name = std::move(name), .type = '2', .link = std::move(target)};
}
inline Entry hard_link(std::string name, std::string target) {
  return {.name = std::move(name), .type = '1', .link = std::move(target)};
}
inline Entry device(std::string name, char type, std::string major, std::string minor) {
  return {.name = std::move(name), .type = type, .major = std::move(major), .minor = std::move(minor)};
}
inline std::string end() { return std::string(1024, '\0'); }

// The archive as a source; `piece` bytes at a time.
struct Source : ByteSource {
  explicit Source(std::string bytes, std::size_t piece_size = SIZE_MAX) : text(std::move(bytes)), piece(piece_size) {}
  std::string text;
  std::size_t piece, at = 0;
  std::size_t read(std::span<std::byte> buffer) override {
    std::size_t size = std::min({buffer.size(), text.size() - at, piece});
    std::memcpy(buffer.data(), text.data() + at, size);
    at += size;
    return size;
  }
};

struct Sink : ByteSink {
  std::string text;
  void write(std::span<const std::byte> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
};

}  // namespace proa::archive::raw
