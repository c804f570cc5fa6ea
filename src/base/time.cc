#include "base/time.h"

#include <time.h>

#include <array>
#include <cstdio>

#include "base/text.h"

namespace proa {
namespace {

std::int64_t clock_now(clockid_t clock) {
  timespec spec{};
  clock_gettime(clock, &spec);
  return spec.tv_sec * kSecond + spec.tv_nsec;
}

struct Broken {
  tm date{};
  int nanoseconds = 0;
};

Broken break_down(UnixNanos time) {
  Broken out;
  std::int64_t seconds = time / kSecond;
  out.nanoseconds = static_cast<int>(time % kSecond);
  if (out.nanoseconds < 0) {
    out.nanoseconds += kSecond;
    --seconds;
  }
  time_t t = seconds;
  gmtime_r(&t, &out.date);
  return out;
}

std::string seconds_text(const tm& date, char between) {
  char text[96];
  std::snprintf(text, sizeof text, "%04d-%02d-%02d%c%02d:%02d:%02d", date.tm_year + 1900, date.tm_mon + 1, date.tm_mday,
                between, date.tm_hour, date.tm_min, date.tm_sec);
  return text;
}

std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  auto number = parse_int<unsigned>(text.substr(0, digits));
  if (!number) return std::nullopt;
  text.remove_prefix(digits);
  return static_cast<int>(*number);
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// ".123" to nanoseconds, more than nine digits cut off.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
  std::int64_t value = 0;
  int digits = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    if (digits < 9) value = value * 10 + (text.front() - '0');
    ++digits;
    text.remove_prefix(1);
  }
  if (digits == 0) return std::nullopt;
  for (int i = digits; i < 9; ++i) value *= 10;
  return value;
}

std::optional<std::int64_t> take_offset(std::string_view& text) {
  if (take(text, 'Z')) return 0;
  int sign = take(text, '-') ? -1 : take(text, '+') ? 1 : 0;
  if (sign == 0) return std::nullopt;
  auto hours = take_number(text, 2);
  if (!hours || !take(text, ':')) return std::nullopt;
  auto minutes = take_number(text, 2);
  if (!minutes) return std::nullopt;
  return sign * (*hours * 3600LL + *minutes * 60LL);
}

// `strict`: the full form only. Otherwise the time of day, its seconds and the offset may be missing.
std::optional<UnixNanos> parse_date(std::string_view text, bool strict) {
  tm date{};
  auto year = take_number(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  auto month = take_number(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  auto day = take_number(text, 2);
  if (!day || *month < 1 || *month > 12 || *day < 1 || *day > 31) return std::nullopt;
  date.tm_year = *year - 1900;
  date.tm_mon = *month - 1;
  date.tm_mday = *day;
  std::int64_t fraction = 0, offset = 0;
  if (text.empty() && strict) return std::nullopt;
  if (take(text, 'T')) {
    auto hour = take_number(text, 2);
    if (!hour) return std::nullopt;
    date.tm_hour = *hour;
    if (take(text, ':')) {
      auto minute = take_number(text, 2);
      if (!minute) return std::nullopt;
      date.tm_min = *minute;
      if (take(text, ':')) {
        auto second = take_number(text, 2);
        if (!second) return std::nullopt;
        date.tm_sec = *second;
        if (take(text, '.')) {
          auto nanos = take_fraction(text);
          if (!nanos) return std::nullopt;
          fraction = *nanos;
        }
      } else if (strict) {
        return std::nullopt;
      }
    } else if (strict) {
      return std::nullopt;
    }
    if (date.tm_hour > 23 || date.tm_min > 59 || date.tm_sec > 60) return std::nullopt;
  }
  if (!text.empty()) {
    auto parsed = take_offset(text);
    if (!parsed) return std::nullopt;
    offset = *parsed;
  } else if (strict) {
    return std::nullopt;
  }
  if (!text.empty()) return std::nullopt;
  if (*year == 1) return kZeroTime;
  return (static_cast<std::int64_t>(timegm(&date)) - offset) * kSecond + fraction;
}

}  // namespace

UnixNanos now() { return clock_now(CLOCK_REALTIME); }
std::int64_t monotonic_now() { return clock_now(CLOCK_MONOTONIC); }

std::string format_rfc3339(UnixNanos time) {
  if (time == kZeroTime) return "0001-01-01T00:00:00Z";
  Broken at = break_down(time);
  std::string out = seconds_text(at.date, 'T');
  if (at.nanoseconds != 0) {
    char fraction[16];
    std::snprintf(fraction, sizeof fraction, ".%09d", at.nanoseconds);
    std::string_view shown = fraction;
    while (shown.back() == '0') shown.remove_suffix(1);
    out += shown;
  }
  return out + "Z";
}

std::string format_rfc3339_fixed(UnixNanos time) {
  Broken at = break_down(time);
  char fraction[16];
  std::snprintf(fraction, sizeof fraction, ".%09dZ", at.nanoseconds);
  return seconds_text(at.date, 'T') + fraction;
}

std::string format_go_time(UnixNanos time) { return seconds_text(break_down(time).date, ' ') + " +0000 UTC"; }

std::optional<UnixNanos> parse_rfc3339(std::string_view text) { return parse_date(text, true); }

std::optional<UnixNanos> parse_timestamp(std::string_view text, UnixNanos now_) {
  auto [whole, fraction] = cut(text, '.');
  if (auto seconds = parse_int<std::int64_t>(whole); seconds && *seconds < INT64_MAX / kSecond) {
    std::int64_t nanos = 0;
    if (fraction) {
      std::string_view rest = *fraction;
      auto parsed = take_fraction(rest);
      if (!parsed || !rest.empty()) return std::nullopt;
      nanos = *parsed;
    }
    return *seconds * kSecond + nanos;
  }
  if (auto duration = parse_go_duration(text)) return now_ - *duration;
  return parse_date(text, false);
}

std::optional<std::int64_t> parse_go_duration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::int64_t>, 8> kUnits{{{"ns", 1},
                                                                                    {"us", 1000},
                                                                                    {"\xC2\xB5s", 1000},
                                                                                    {"\xCE\xBCs", 1000},
                                                                                    {"ms", kMillisecond},
                                                                                    {"s", kSecond},
                                                                                    {"m", 60 * kSecond},
                                                                                    {"h", 3600 * kSecond}}};
  bool negative = take(text, '-');
  if (!negative) take(text, '+');
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    auto digits = text.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos) return std::nullopt;
    auto number = parse_double(text.substr(0, digits));
    if (!number) return std::nullopt;
    text.remove_prefix(digits);
    std::string_view name = text.substr(0, text.find_first_of("0123456789."));
    std::int64_t unit = 0;
    for (const auto& [known, nanos] : kUnits) {
      if (known == name) unit = nanos;
    }
    if (unit == 0) return std::nullopt;
    text.remove_prefix(name.size());
    total += *number * static_cast<double>(unit);
  }
  if (total > 9.2e18) return std::nullopt;
  auto nanos = static_cast<std::int64_t>(total + 0.5);
  return negative ? -nanos : nanos;
}

std::string format_go_duration(std::int64_t nanoseconds) {
  if (nanoseconds < 0) return "-" + format_go_duration(-nanoseconds);
  auto scaled = [](std::int64_t value, std::int64_t unit, std::string_view name) {
    return cat(static_cast<double>(value) / static_cast<double>(unit), name);
  };
  if (nanoseconds == 0) return "0s";
  if (nanoseconds < 1000) return cat(nanoseconds, "ns");
  if (nanoseconds < kMillisecond) return scaled(nanoseconds, 1000, "\xC2\xB5s");
  if (nanoseconds < kSecond) return scaled(nanoseconds, kMillisecond, "ms");
  std::int64_t minutes = nanoseconds / (60 * kSecond);
  std::string out = scaled(nanoseconds % (60 * kSecond), kSecond, "s");
  if (minutes == 0) return out;
  out = cat(minutes % 60, "m", out);
  return minutes < 60 ? out : cat(minutes / 60, "h", out);
}

std::string human_duration(std::int64_t nanoseconds) {
  std::int64_t seconds = nanoseconds / kSecond;
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return cat(seconds, " seconds");
  std::int64_t minutes = seconds / 60;
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return cat(minutes, " minutes");
  std::int64_t hours = (seconds + 1800) / 3600;
  if (hours == 1) return "About an hour";
  if (hours < 48) return cat(hours, " hours");
  if (hours < 24 * 7 * 2) return cat(hours / 24, " days");
  if (hours < 24 * 30 * 2) return cat(hours / 24 / 7, " weeks");
  if (hours < 24 * 365 * 2) return cat(hours / 24 / 30, " months");
  return cat(seconds / 3600 / 24 / 365, " years");
}

}  // namespace proa
