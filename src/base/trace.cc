#include "base/trace.h"

#include <algorithm>
#include <exception>

#include "base/time.h"

namespace proa::trace {
namespace {
thread_local Recorder* thread_recorder = nullptr;
thread_local int thread_parent = -1;
}  // namespace

Json to_json(const std::vector<Event>& events) {
  JsonArray out;
  for (const auto& event : events) {
    JsonObject attributes;
    for (const auto& [key, value] : event.attributes) attributes[key] = std::string_view(value);
    out.push_back(JsonObject{{"name", event.name},
                             {"process", event.process},
                             {"start", event.start},
                             {"duration", event.duration},
                             {"parent", event.parent},
                             {"attributes", std::move(attributes)}});
  }
  return out;
}

std::vector<Event> events_from_json(const Json& value) {
  std::vector<Event> out;
  if (!value.is_array()) return out;
  auto limit = std::min(value.get_array().size(), kMaxEvents);
  for (std::size_t i = 0; i < limit; ++i) {
    const Json& item = value.get_array()[i];
    Event event;
    event.name = json::string_at(item, "name");
    event.process = json::string_at(item, "process");
    event.start = json::int_at(item, "start");
    event.duration = json::int_at(item, "duration");
    auto parent = json::int_at(item, "parent");
    event.parent = parent >= 0 && parent < static_cast<std::int64_t>(i) ? static_cast<int>(parent) : -1;
    if (const Json* attributes = json::find(item, "attributes"); attributes && attributes->is_object()) {
      for (const auto& member : attributes->get_object()) {
        if (member.value().is_string()) event.attributes.emplace_back(member.key(), member.value().get_string());
      }
    }
    out.push_back(std::move(event));
  }
  return out;
}

int Recorder::begin(std::string_view name, int parent) {
  Event event;
  event.name = name;
  event.parent = parent;
  event.start = monotonic_now();
  std::lock_guard guard(mutex_);
  if (events_.size() >= kMaxEvents) return -1;
  event.process = process_;
  events_.push_back(std::move(event));
  return static_cast<int>(events_.size()) - 1;
}

void Recorder::set(int index, std::string_view key, std::string value) {
  if (index < 0) return;
  std::lock_guard guard(mutex_);
  events_[static_cast<std::size_t>(index)].attributes.emplace_back(key, std::move(value));
}

void Recorder::end(int index) {
  if (index < 0) return;
  auto end = monotonic_now();
  std::lock_guard guard(mutex_);
  auto& event = events_[static_cast<std::size_t>(index)];
  event.duration = end - event.start;
}

void Recorder::add(Event event) {
  std::lock_guard guard(mutex_);
  if (events_.size() >= kMaxEvents) return;
  if (event.process.empty()) event.process = process_;
  events_.push_back(std::move(event));
}

void Recorder::adopt(const std::vector<Event>& events, int parent) {
  std::lock_guard guard(mutex_);
  int base = static_cast<int>(events_.size());
  for (const auto& event : events) {
    if (events_.size() >= kMaxEvents) return;
    events_.push_back(event);
    events_.back().parent = event.parent < 0 ? parent : event.parent + base;
  }
}

std::vector<Event> Recorder::events() const {
  std::lock_guard guard(mutex_);
  return events_;
}

Scope::Scope(Recorder& recorder, int parent) : previous_(thread_recorder), previous_parent_(thread_parent) {
  thread_recorder = &recorder;
  thread_parent = parent;
}

Scope::~Scope() {
  thread_recorder = previous_;
  thread_parent = previous_parent_;
}

Span::Span(std::string_view name) : recorder_(thread_recorder), previous_parent_(thread_parent) {
  if (!recorder_) return;
  index_ = recorder_->begin(name, thread_parent);
  if (index_ >= 0) thread_parent = index_;
  throwing_ = std::uncaught_exceptions();
}

void Span::set(std::string_view key, std::string value) {
  if (recorder_) recorder_->set(index_, key, std::move(value));
}

void Span::end() {
  if (!recorder_) return;
  if (std::uncaught_exceptions() > throwing_) recorder_->set(index_, "not_done", "true");
  recorder_->end(index_);
  thread_parent = previous_parent_;
  recorder_ = nullptr;
}

Recorder* current() { return thread_recorder; }
int current_parent() { return thread_parent; }

void record(std::string_view name, std::int64_t start, std::vector<std::pair<std::string, std::string>> attributes) {
  if (!thread_recorder) return;
  Event event;
  event.name = name;
  event.start = start;
  event.duration = monotonic_now() - start;
  event.parent = thread_parent;
  event.attributes = std::move(attributes);
  thread_recorder->add(std::move(event));
}

}  // namespace proa::trace
