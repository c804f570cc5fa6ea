#include "cli/progress.h"

#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "base/units.h"
#include "cli/console.h"
#include "os/file.h"

namespace proa::cli {

namespace {

std::string right_aligned(const std::string& text, std::size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string cursor(std::size_t lines, char direction) { return lines ? cat("\x1b[", lines, direction) : ""; }

}  // namespace

std::string progress_bar(std::int64_t current, std::int64_t total, int width) {
  if (current <= 0 && total <= 0) return "";
  std::string done = human_size(static_cast<double>(current));
  if (total <= 0) return right_aligned(done, 8);
  std::string bar;
  auto filled = static_cast<std::size_t>(
                    std::clamp(static_cast<double>(current) / static_cast<double>(total) * 100, 0.0, 100.0)) /
                2;
  if (width > 110) bar = cat("[", std::string(filled, '='), ">", std::string(50 - filled, ' '), "] ");
  return bar + right_aligned(done, 8) + (current > total ? "" : cat("/", human_size(static_cast<double>(total))));
}

std::string pace_text(std::int64_t done, std::int64_t left, std::int64_t nanoseconds) {
  if (done <= 0 || nanoseconds < kSecond / 2) return "";
  double rate = static_cast<double>(done) * kSecond / static_cast<double>(nanoseconds);
  std::string out = cat(human_size(rate), "/s");
  if (left <= 0) return out;
  auto seconds = static_cast<std::int64_t>(static_cast<double>(left) / rate + 0.5);
  if (seconds < 60) return cat(out, " ", seconds, "s");
  return seconds < 3600 ? cat(out, " ", seconds / 60, "m", seconds % 60, "s")
                        : cat(out, " ", seconds / 3600, "h", seconds / 60 % 60, "m");
}

std::string ProgressView::pace(const std::string& id, const std::string& status, std::int64_t current,
                               std::int64_t total) {
  Pace& pace = paces_[id];
  if (pace.status != status || current < pace.first) pace = {status, monotonic_now(), current};
  std::string text = pace_text(current - pace.first, total - current, monotonic_now() - pace.since);
  return text.empty() ? "" : cat("  ", text);
}

ProgressView::ProgressView(int fd) : ProgressView(fd, is_terminal(fd), terminal_width(80)) {}

void ProgressView::show(const Json& message) {
  if (const Json* failure = json::find(message, "errorDetail"); failure && failure->is_object()) {
    throw Error(ErrorKind::Internal, json::string_at(*failure, "message"));
  }
  if (std::string failure = json::string_at(message, "error"); !failure.empty())
    throw Error(ErrorKind::Internal, failure);
  std::string id = json::string_at(message, "id"), status = json::string_at(message, "status"),
              stream = json::string_at(message, "stream");
  const Json* detail = json::find(message, "progressDetail");
  bool has_progress = detail && detail->is_object();
  std::int64_t current = has_progress ? json::int_at(*detail, "current") : 0;
  std::int64_t total = has_progress ? json::int_at(*detail, "total") : 0;
  std::string bar = has_progress ? progress_bar(current, total, width_) : "";
  std::string text;
  std::size_t up = 0;
  if (!id.empty() && has_progress) {
    auto [line, added] = lines_.emplace(id, lines_.size());
    if (added && terminal_) text += '\n';
    up = lines_.size() - line->second;
    if (terminal_) text += cursor(up, 'A');
  } else {
    lines_.clear();
  }
  if (!terminal_ && !bar.empty()) return;
  bool in_place = terminal_ && stream.empty() && has_progress;
  if (in_place) text += "\x1b[2K\r";
  if (!id.empty()) text += cat(id, ": ");
  if (in_place)
    text += cat(status, " ", bar, bar.empty() ? "" : pace(id, status, current, total), "\r");
  else if (!stream.empty())
    text += stream;
  else
    text += cat(status, "\n");
  if (terminal_) text += cursor(up, 'B');
  os::write_all(fd_, text);
}

}  // namespace proa::cli
