#include "base/time.h"

#include <gtest/gtest.h>

#include "base/id.h"
#include "base/rollback.h"
#include "base/trace.h"
#include "base/units.h"

namespace proa {
namespace {

constexpr UnixNanos kMoment = 1767323045'678901234;  // 2026-01-02T03:04:05.678901234Z

TEST(Time, IsWrittenAsRfc3339) {
  EXPECT_EQ(format_rfc3339(kMoment), "2026-01-02T03:04:05.678901234Z");
  EXPECT_EQ(format_rfc3339(1767323045'500000000), "2026-01-02T03:04:05.5Z");
  EXPECT_EQ(format_rfc3339(1767323045 * kSecond), "2026-01-02T03:04:05Z");
  EXPECT_EQ(format_rfc3339(kZeroTime), "0001-01-01T00:00:00Z");
  EXPECT_EQ(format_rfc3339_fixed(1767323045'500000000), "2026-01-02T03:04:05.500000000Z");
}

TEST(Time, IsReadBack) {
  EXPECT_EQ(parse_rfc3339("2026-01-02T03:04:05.678901234Z"), kMoment);
  EXPECT_EQ(parse_rfc3339("2026-01-02T05:04:05.678901234+02:00"), kMoment);
  EXPECT_EQ(parse_rfc3339("0001-01-01T00:00:00Z"), kZeroTime);
  for (auto* text : {"", "2026-01-02", "2026-13-02T03:04:05Z", "2026-01-02T03:04:05", "2026-01-02T03:04:05Zx"})
    EXPECT_EQ(parse_rfc3339(text), std::nullopt);
}

TEST(Time, TimestampsHaveThreeForms) {
  EXPECT_EQ(parse_timestamp("1767323045.678901234", 0), kMoment);
  EXPECT_EQ(parse_timestamp("10m", kMoment), kMoment - 600 * kSecond);
  EXPECT_EQ(parse_timestamp("2026-01-02", 0), 1767312000 * kSecond);
  EXPECT_EQ(parse_timestamp("soon", 0), std::nullopt);
}

TEST(Time, DurationsAreGos) {
  EXPECT_EQ(parse_go_duration("1h2m3.5s"), 3723'500'000'000);
  EXPECT_EQ(parse_go_duration("-1.5ms"), -1'500'000);
  EXPECT_EQ(parse_go_duration("5"), std::nullopt);
  EXPECT_EQ(format_go_duration(3723'500'000'000), "1h2m3.5s");
  EXPECT_EQ(format_go_duration(0), "0s");
  EXPECT_EQ(human_duration(500), "Less than a second");
  EXPECT_EQ(human_duration(65 * kSecond), "About a minute");
  EXPECT_EQ(human_duration(3 * 3600 * kSecond), "3 hours");
  constexpr std::int64_t kDay = 24 * 3600 * kSecond;
  EXPECT_EQ(human_duration(330 * kDay - 600 * kSecond), "11 months") << "hours are rounded";
  EXPECT_EQ(human_duration(729 * kDay), "24 months");
  EXPECT_EQ(human_duration(731 * kDay), "2 years");
}

TEST(Units, SizesAreDockers) {
  EXPECT_EQ(parse_ram_bytes("512m"), 512 << 20);
  EXPECT_EQ(parse_ram_bytes("1.5GiB"), 3LL << 29);
  EXPECT_EQ(parse_ram_bytes("100"), 100);
  for (auto* text : {"", "m", "-1", "1x", "1mm"}) EXPECT_EQ(parse_ram_bytes(text), std::nullopt) << text;
  EXPECT_EQ(human_size(96400000), "96.4MB");
  EXPECT_EQ(human_size(0), "0B");
  EXPECT_EQ(binary_size(1536.0 * 1024 * 1024), "1.5GiB");
}

TEST(Id, IsHexAndNeverAllDecimalInFront) {
  for (int i = 0; i < 1000; ++i) {
    std::string id = new_id();
    ASSERT_TRUE(is_hex_id(id));
    ASSERT_NE(id.substr(0, 12).find_first_not_of("0123456789"), std::string::npos);
  }
}

TEST(Rollback, UndoesInReverseAndAddsWhatFailed) {
  std::string order;
  Rollback rollback;
  rollback.add([&] { order += "1"; });
  rollback.add([&] { throw Error(ErrorKind::Internal, "stuck"); });
  rollback.add([&] { order += "3"; });
  Error error = rollback.failure(Error(ErrorKind::Conflict, "cause"));
  EXPECT_EQ(order, "31");
  EXPECT_EQ(error.message(), "cause (and while cleaning up: stuck)");
  EXPECT_EQ(error.kind(), ErrorKind::Conflict);
}

TEST(Trace, SpansNestAndTravel) {
  trace::Recorder recorder("here");
  {
    trace::Scope scope(recorder);
    trace::Span outer("outer");
    trace::Span inner("inner");
    inner.set("size", 5);
  }
  auto events = trace::events_from_json(trace::to_json(recorder.events()));
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].parent, 0);
  EXPECT_EQ(events[1].attributes[0].second, "5");
  trace::Recorder other("there");
  int parent = other.begin("root", -1);
  other.adopt(events, parent);
  EXPECT_EQ(other.events()[1].parent, 0);
  EXPECT_EQ(other.events()[2].parent, 1);
  EXPECT_EQ(other.events()[2].process, "here");
}

}  // namespace
}  // namespace proa
