#include "image/pull_progress.h"

#include "base/text.h"
#include "base/time.h"

namespace proa::image {

void PullProgress::say(std::string status, std::string id) {
  std::lock_guard guard(mutex_);
  if (sink_) sink_({std::move(status), std::move(id), 0, 0});
}

void PullProgress::count(const std::string& status, const std::string& id, std::uint64_t current, std::uint64_t total) {
  std::lock_guard guard(mutex_);
  std::int64_t time = monotonic_now();
  auto [last, first] = last_.emplace(cat(status, " ", id), time);
  if (!first && current < total && time - last->second < 100 * kMillisecond) return;
  last->second = time;
  if (sink_) sink_({status, id, static_cast<std::int64_t>(current), static_cast<std::int64_t>(total)});
}

}  // namespace proa::image
