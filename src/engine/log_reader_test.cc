#include "engine/log_reader.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "os/file.h"

namespace proa::engine {
namespace {

std::string scratch(std::string_view content) {
  static int count = 0;
  std::string path = testing::TempDir() + "log_reader_" + std::to_string(::getpid()) + "_" + std::to_string(count++);
  os::write_file(path, content);
  return path;
}

TEST(LogReader, ParsesALineAndPassesOverATornOne) {
  auto entry =
      parse_log_line(R"({"log":"hi\u003c\n","stream":"stderr","attrs":{"a":"b c"},"time":"2026-11-23T20:00:00.5Z"})");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->text, "hi<\n");
  EXPECT_TRUE(entry->err);
  EXPECT_EQ(entry->attributes.at("a"), "b c");
  EXPECT_FALSE(parse_log_line(R"({"log":"hi)"));
  EXPECT_FALSE(parse_log_line(""));
}

TEST(LogReader, RendersTimeThenDetailsThenText) {
  LogEntry entry;
  entry.text = "x\n";
  entry.time = *parse_rfc3339("2026-11-23T20:00:00.5Z");
  entry.attributes = {{"a", "b c"}};
  LogOptions options;
  options.timestamps = options.details = true;
  EXPECT_EQ(render_log_entry(entry, options, true), "2026-11-23T20:00:00.500000000Z a=b+c x\n");
  options = {};
  EXPECT_EQ(render_log_entry(entry, options, false), std::string("\x01\0\0\0\0\0\0\x02x\n", 10));
}

TEST(LogReader, RendersJson) {
  LogEntry entry;
  entry.text = "x\n";
  entry.err = true;
  entry.time = *parse_rfc3339("2026-11-23T20:00:00.5Z");
  entry.attributes = {{"a", "b c"}};
  LogOptions options;
  options.json_item = [](const Json& item) { return json::text(item); };
  EXPECT_EQ(render_log_entry(entry, options, false),
            R"({"Line":"x\n","Source":"stderr","Timestamp":"2026-11-23T20:00:00.5Z"})");
  options.details = true;
  EXPECT_EQ(
      render_log_entry(entry, options, false),
      R"({"Line":"x\n","Source":"stderr","Timestamp":"2026-11-23T20:00:00.5Z","Attrs":[{"Key":"a","Value":"b c"}]})");
}

TEST(LogReader, FindsTheTail) {
  auto path = scratch("one\ntwo\nthree\n");
  auto file = os::open_file(path, 0);
  EXPECT_EQ(find_tail(file.get(), 1).offset, 8);
  EXPECT_EQ(find_tail(file.get(), 2).offset, 4);
  EXPECT_EQ(find_tail(file.get(), 9).offset, 0);
  EXPECT_EQ(find_tail(file.get(), 9).lines, 3);
  EXPECT_EQ(find_tail(file.get(), 0).offset, 14);
  os::remove_file(path);
}

TEST(LogReader, OpensRotatedFilesOldestFirst) {
  auto path = scratch("new");
  os::write_file(path + ".1", "older");
  os::write_file(path + ".2", "oldest");
  auto files = open_log_files(path);
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(os::read_all(files[0].get()), "oldest");
  EXPECT_EQ(os::read_all(files[2].get()), "new");
  for (auto name : {"", ".1", ".2"}) os::remove_file(path + name);
}

TEST(LogReader, KeepsAHalfLineForLater) {
  LineBuffer lines;
  lines.push("a\nb");
  EXPECT_EQ(lines.next(), "a");
  EXPECT_FALSE(lines.next());
  lines.push("c\n");
  EXPECT_EQ(lines.next(), "bc");
}

}  // namespace
}  // namespace proa::engine
