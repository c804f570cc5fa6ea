#include "shim/log_file.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/id.h"
#include "base/text.h"
#include "os/file.h"

namespace proa::shim {
namespace {

constexpr UnixNanos kTime = 1'700'000'000'123'456'789;  // 2023-11-14T22:13:20.123456789Z

std::string line(std::string_view text, bool newline = true, std::string_view attributes = "") {
  std::string out;
  append_log_line(out, text, newline, Stream::Stdout, attributes, "2023-11-14T22:13:20.123456789Z");
  return out;
}

class LogFileTest : public ::testing::Test {
 protected:
  LogFileTest() : dir_(cat("/tmp/proa-log-test-", random_u64())) {
    os::make_dir(dir_, 0700);
    options_.path = cat(dir_, "/x-json.log");
  }
  ~LogFileTest() override { os::remove_tree(dir_); }
  std::string content(std::string_view suffix = "") const {
    return os::try_read_file(cat(options_.path, suffix)).value_or("-");
  }
  // The texts of all entries, partial ones joined.
  std::string texts(std::string_view suffix = "") const {
    std::string all;
    for (const auto& entry : split(content(suffix), '\n')) {
      if (!entry.empty()) all += json::string_at(json::parse(entry), "log");
    }
    return all;
  }
  std::string dir_;
  LogOptions options_;
};

// Lines of docker's own jsonlog tests and of a json-file log of docker 20.10.
TEST(LogLine, IsWhatDockerWrites) {
  EXPECT_EQ(line("line that starts with a word"),
            "{\"log\":\"line that starts with a "
            "word\\n\",\"stream\":\"stdout\",\"time\":\"2023-11-14T22:13:20.123456789Z\"}\n");
  EXPECT_EQ(line("A line with unicode: 日本語"),
            "{\"log\":\"A line with unicode: "
            "日本語\\n\",\"stream\":\"stdout\",\"time\":\"2023-11-14T22:13:20.123456789Z\"}\n");
}

TEST(LogLine, EscapesAsDockersJsonlogDoes) {
  auto text = [](std::string_view raw) {
    std::string whole = line(raw, false);
    return whole.substr(8, whole.find("\",\"stream\"") - 8);
  };
  EXPECT_EQ(text("<a href=\"x\">&</a>"), "\\u003ca href=\\\"x\\\"\\u003e\\u0026\\u003c/a\\u003e");
  EXPECT_EQ(text("tab\there"), "tab\\u0009here");
  EXPECT_EQ(text("back\\slash \r bell\x07 esc\x1b[0m del\x7f"), "back\\\\slash \\r bell\\u0007 esc\\u001b[0m del\x7f");
  EXPECT_EQ(text(std::string_view("nul\0.", 5)), "nul\\u0000.");
  EXPECT_EQ(text("\xff\xfe!"), "\\ufffd\\ufffd!");
  EXPECT_EQ(text("cut \xe6\x97"), "cut \\ufffd\\ufffd");  // the start of a three-byte sequence
  EXPECT_EQ(text("\xed\xa0\x80 \xc0\x80"), "\\ufffd\\ufffd\\ufffd \\ufffd\\ufffd");  // surrogate, overlong
  EXPECT_EQ(text("\xf0\x9f\x98\x80 \xe2\x80\xa8\xe2\x80\xa9"), "\xf0\x9f\x98\x80 \\u2028\\u2029");
}

TEST(LogLine, HasAttributesBeforeTheTimeAndNoLogWhenEmpty) {
  EXPECT_EQ(
      line("x", true, "{\"a\":\"b\"}"),
      "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{\"a\":\"b\"},\"time\":\"2023-11-14T22:13:20.123456789Z\"}\n");
  EXPECT_EQ(line("", false), "{\"stream\":\"stdout\",\"time\":\"2023-11-14T22:13:20.123456789Z\"}\n");
}

TEST_F(LogFileTest, JoinsPiecesOfALineAndKeepsStreamsApart) {
  LogFile log(options_);
  log.write(Stream::Stdout, "he", kTime);
  log.write(Stream::Stderr, "oops\n", kTime);
  log.write(Stream::Stdout, "llo\nwor", kTime + kSecond);
  log.end(Stream::Stdout, kTime + 2 * kSecond);
  EXPECT_EQ(content(),
            "{\"log\":\"oops\\n\",\"stream\":\"stderr\",\"time\":\"2023-11-14T22:13:20.123456789Z\"}\n"
            "{\"log\":\"hello\\n\",\"stream\":\"stdout\",\"time\":\"2023-11-14T22:13:21.123456789Z\"}\n"
            "{\"log\":\"wor\",\"stream\":\"stdout\",\"time\":\"2023-11-14T22:13:22.123456789Z\"}\n");
  EXPECT_EQ(log.logged_bytes(), 14U);
}

TEST_F(LogFileTest, CutsLongLinesAt16KiBWithoutNewlineAndWithTheFirstPartsTime) {
  LogFile log(options_);
  std::string text(2 * LogFile::kMaxText + 5, 'x');
  log.write(Stream::Stdout, text.substr(0, 20000), kTime);
  log.write(Stream::Stdout, text.substr(20000) + "\nnext\n", kTime + kSecond);
  auto lines = split(content(), '\n');
  ASSERT_EQ(lines.size(), 5U);  // three parts, "next", and what is behind the last newline
  auto log_of = [&](std::size_t i) { return json::string_at(json::parse(lines[i]), "log"); };
  EXPECT_EQ(log_of(0), text.substr(0, LogFile::kMaxText));
  EXPECT_EQ(log_of(1), text.substr(0, LogFile::kMaxText));
  EXPECT_EQ(log_of(2), "xxxxx\n");
  EXPECT_EQ(log_of(3), "next\n");
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(json::string_at(json::parse(lines[i]), "time"), "2023-11-14T22:13:20.123456789Z") << i;
  }
  EXPECT_EQ(json::string_at(json::parse(lines[3]), "time"), "2023-11-14T22:13:21.123456789Z");
}

TEST_F(LogFileTest, LineOfExactly16KiBIsAPartAndAnEmptyRest) {
  LogFile log(options_);
  log.write(Stream::Stdout, std::string(LogFile::kMaxText, 'y') + "\n", kTime);
  auto lines = split(content(), '\n');
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(json::string_at(json::parse(lines[0]), "log").size(), LogFile::kMaxText);
  EXPECT_EQ(json::string_at(json::parse(lines[1]), "log"), "\n");
}

TEST_F(LogFileTest, RotatesBySizeAndKeepsSoManyFiles) {
  options_.max_size = 1000;
  options_.max_file = 3;
  LogFile log(options_);
  std::string last;
  for (int i = 0; i < 200; ++i) log.write(Stream::Stdout, cat("line ", i, "\n"), kTime);
  EXPECT_EQ(os::list_dir(dir_), (std::vector<std::string>{"x-json.log", "x-json.log.1", "x-json.log.2"}));
  for (const char* suffix : {"", ".1", ".2"}) EXPECT_LT(content(suffix).size(), 1000U + 100);
  // Together they are the newest lines, none lost or doubled.
  std::string kept = texts(".2") + texts(".1") + texts();
  std::string all;
  for (int i = 0; i < 200; ++i) all += cat("line ", i, "\n");
  EXPECT_TRUE(all.ends_with(kept));
  EXPECT_GT(kept.size(), 100U);
}

TEST_F(LogFileTest, OneBigBatchRotatesInsideAndStaysBounded) {
  options_.max_size = 10'000;
  options_.max_file = 2;
  LogFile log(options_);
  std::string batch;
  for (int i = 0; i < 5000; ++i) batch += cat(i, "\n");
  log.write(Stream::Stdout, batch, kTime);
  EXPECT_LT(content().size(), 10'100U);
  EXPECT_LT(content(".1").size(), 10'100U);
  EXPECT_TRUE(batch.ends_with(texts(".1") + texts()));
}

TEST_F(LogFileTest, OneFileAloneStartsAnew) {
  options_.max_size = 500;
  options_.max_file = 1;
  LogFile log(options_);
  for (int i = 0; i < 50; ++i) log.write(Stream::Stdout, "some text\n", kTime);
  EXPECT_EQ(os::list_dir(dir_), std::vector<std::string>{"x-json.log"});
  EXPECT_LT(content().size(), 600U);
}

// proves: I4
TEST_F(LogFileTest, ContinuesAnOldFileAndCutsOffATornEntry) {
  std::string whole = "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"2023-11-14T22:13:20Z\"}\n";
  os::write_file(options_.path, whole + "{\"log\":\"to");
  LogFile log(options_);
  log.write(Stream::Stdout, "b\n", kTime);
  EXPECT_EQ(texts(), "a\nb\n");
}

TEST_F(LogFileTest, DriverNoneWritesNothing) {
  options_.driver = "none";
  options_.path = "";
  LogFile log(options_);
  log.write(Stream::Stdout, "x\n", kTime);
  log.end(Stream::Stdout, kTime);
  EXPECT_TRUE(os::list_dir(dir_).empty());
}

// proves: F1
TEST_F(LogFileTest, FullDiskDropsAndSaysSoLater) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: it mounts a small tmpfs";
  std::string small = cat(dir_, "/small");
  os::make_dir(small, 0700);
  pid_t child = ::fork();
  if (child == 0) {  // in a mount namespace of its own: nothing to clean up
    bool ok = ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
              ::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=64k") == 0;
    if (!ok) ::_exit(2);
    options_.path = cat(small, "/log");
    LogFile log(options_);
    os::write_file(cat(small, "/ballast"), std::string(40 << 10, 'b'));
    for (int i = 0; i < 1000; ++i) log.write(Stream::Stdout, cat("line ", i, "\n"), kTime);
    std::uint64_t dropped = log.dropped_bytes();
    if (dropped == 0 || dropped + log.logged_bytes() != 8890) ::_exit(3);
    os::remove_file(cat(small, "/ballast"));
    log.write(Stream::Stdout, "after\n", kTime);
    std::string all;
    for (const auto& entry : split(os::read_file(options_.path), '\n')) {
      if (!entry.empty()) all += json::string_at(json::parse(entry), "log");  // throws where one is torn
    }
    bool said =
        all.ends_with(cat("[proa] ", dropped, " bytes of output are missing here: no space left on device\nafter\n"));
    ::_exit(said ? 0 : 4);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace proa::shim
