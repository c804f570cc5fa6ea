// Points in time and durations, read and written as Go does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace proa {

// Nanoseconds since 1970-01-01T00:00:00Z; kZeroTime is Go's zero time, 0001-01-01T00:00:00Z.
using UnixNanos = std::int64_t;
inline constexpr UnixNanos kZeroTime = INT64_MIN;
inline constexpr std::int64_t kSecond = 1'000'000'000;
inline constexpr std::int64_t kMillisecond = 1'000'000;

UnixNanos now();               // CLOCK_REALTIME
std::int64_t monotonic_now();  // CLOCK_MONOTONIC, ns; the same in every process of the host

// "2026-11-23T20:28:04.123456789Z": nine digits less trailing zeros (RFC3339Nano, UTC).
std::string format_rfc3339(UnixNanos time);
// Always nine digits, as in `docker logs -t`.
std::string format_rfc3339_fixed(UnixNanos time);
// "2026-11-23 20:28:04 +0000 UTC" (Go's time.String without fraction), as in docker's CreatedAt columns.
std::string format_go_time(UnixNanos time);
// RFC 3339 with optional fraction and any offset.
std::optional<UnixNanos> parse_rfc3339(std::string_view text);

// A timestamp as API filters take it (engine-api 1.10): unix seconds with an optional fraction, RFC 3339 in full or
// shortened ("2006-01-02", "2006-01-02T15:04"), or a Go duration back from `now_`. nullopt if it is none of these.
std::optional<UnixNanos> parse_timestamp(std::string_view text, UnixNanos now_);

// "1h2m3.5s", "300ms", "-2s"; nullopt if it is no Go duration.
std::optional<std::int64_t> parse_go_duration(std::string_view text);
std::string format_go_duration(std::int64_t nanoseconds);

// docker's rough words: "Less than a second", "5 seconds", "About a minute", "3 hours", "2 weeks".
std::string human_duration(std::int64_t nanoseconds);

}  // namespace proa
