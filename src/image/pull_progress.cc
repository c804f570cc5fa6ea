#include "image/pull_progress.h"

#include "base/text.h"
#include "base/time.h"

namespace proa::image {

void PullProgress::say(std::string status, std::string layer) {
  std::lock_guard guard(mutex_);
  bool in_place = !layer.empty();
  if (sink_) sink_({std::move(status), std::move(layer), 0, 0, in_place});
}

void PullProgress::say_of_tag(std::string status, std::string tag) {
  std::lock_guard guard(mutex_);
  if (sink_) sink_({std::move(status), std::move(tag), 0, 0, false});
}

void PullProgress::count(const std::string& status, const std::string& id, std::uint64_t current, std::uint64_t total) {
  std::lock_guard guard(mutex_);
  std::int64_t time = monotonic_now();
  auto [last, first] = last_.emplace(cat(status, " ", id), time);
  if (!first && current < total && time - last->second < 100 * kMillisecond) return;
  last->second = time;
  if (sink_) sink_({status, id, static_cast<std::int64_t>(current), static_cast<std::int64_t>(total), true});
}

}  // namespace proa::image
