#include "archive/compress.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "archive/raw_tar.h"
#include "base/error.h"
#include "base/id.h"
#include "base/text.h"
#include "os/file.h"

namespace proa::archive {
namespace {

std::string inflate(const std::string& compressed, std::size_t piece = SIZE_MAX, std::size_t room = 4096) {
  raw::Source source(compressed, piece);
  Decompressor plain(source);
  std::string out;
  std::vector<std::byte> buffer(room);
  while (std::size_t got = plain.read(buffer)) out.append(reinterpret_cast<const char*>(buffer.data()), got);
  return out;
}

// What a tool of its own makes of `text`.
std::string made_by(const std::string& tool, const std::string& text) {
  std::string path = cat("/tmp/compress-test-", random_u64());
  os::write_file(path, text);
  int status = std::system(cat(tool, " < ", path, " > ", path, ".out 2>/dev/null").c_str());
  std::string out = status == 0 ? os::read_file(path + ".out") : "";
  os::remove_file(path);
  os::remove_file(path + ".out");
  return out;
}

std::string sample() {
  std::string text;
  for (int i = 0; i < 60'000; ++i) text += cat("line ", i * 7919 % 10007, "\n");
  return text;
}

TEST(Decompressor, ReadsWhatOtherToolsWrite) {
  std::string text = sample();
  for (const char* tool : {"gzip -1", "gzip -9", "zstd -q -3", "zstd -q --long=27", "xz -1", "bzip2 -1", "cat"}) {
    std::string compressed = made_by(tool, text);
    if (compressed.empty()) continue;  // not installed
    EXPECT_EQ(inflate(compressed), text) << tool;
    EXPECT_EQ(inflate(compressed, 1000, 77), text) << tool;
    EXPECT_EQ(inflate(compressed.substr(0, 2000) + compressed.substr(2000), 1), text) << tool;
  }
}

TEST(Decompressor, ReadsSeveralMembersAndPadding) {
  std::string text = sample();
  for (const char* tool : {"gzip", "zstd -q", "xz -1", "bzip2"}) {
    std::string one = made_by(tool, text), two = made_by(tool, "and more");
    if (one.empty()) continue;
    EXPECT_EQ(inflate(one + two), text + "and more") << tool;
    EXPECT_EQ(inflate(one + two, 1), text + "and more") << tool;
    EXPECT_EQ(inflate(one + std::string(1024, '\0')), text) << tool;
    EXPECT_THROW(inflate(one + "garbage"), Error) << tool;
  }
}

TEST(Decompressor, RefusesEveryTruncation) {
  for (const char* tool : {"gzip", "zstd -q", "xz -1", "bzip2"}) {
    std::string whole = made_by(tool, "some text, some text, and some more text");
    for (std::size_t size = 6; size < whole.size(); ++size) {
      EXPECT_THROW(inflate(whole.substr(0, size)), Error) << tool << " cut at " << size << " of " << whole.size();
    }
  }
}

TEST(Decompressor, RefusesDamagedContent) {
  for (const char* tool : {"gzip", "zstd -q", "xz -1", "bzip2"}) {
    std::string text = sample(), damaged = made_by(tool, text);
    if (damaged.empty()) continue;
    damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 0x55);
    EXPECT_THROW(inflate(damaged), Error) << tool;
  }
}

TEST(Decompressor, PassesPlainBytes) {
  EXPECT_EQ(inflate(""), "");
  EXPECT_EQ(inflate("a"), "a");
  EXPECT_EQ(inflate("plain text of any kind", 3), "plain text of any kind");
}

TEST(GzipSink, WritesWhatGzipReadsAndAlwaysTheSame) {
  std::string text = sample(), first;
  for (int round = 0; round < 2; ++round) {
    raw::Sink out;
    GzipSink sink(out);
    for (std::size_t at = 0; at < text.size(); at += 999) {
      auto piece = std::string_view(text).substr(at, 999);
      sink.write(std::as_bytes(std::span(piece.data(), piece.size())));
    }
    sink.finish();
    EXPECT_TRUE(made_by("gzip -dc", out.text) == text);
    if (round == 1) {
      EXPECT_TRUE(out.text == first);
    }
    first = out.text;
  }
}

}  // namespace
}  // namespace proa::archive
