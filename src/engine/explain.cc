#include "engine/explain.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "os/file.h"

namespace proa::engine {
namespace {
thread_local std::string request_trace_id;
constexpr std::size_t kThawed = 8;  // removed ones that late events may still reach
constexpr std::size_t kRemovedKept = 256, kTracesKept = 512, kEventsKept = 8192;
}  // namespace

RequestTrace::RequestTrace(std::string trace_id) { request_trace_id = std::move(trace_id); }
RequestTrace::~RequestTrace() { request_trace_id.clear(); }
const std::string& RequestTrace::id() { return request_trace_id; }

void Explain::append(Story& story, const std::vector<trace::Event>& events) {
  if (!story.frozen.empty()) return;
  int base = static_cast<int>(story.events.size());
  for (const auto& event : events) {
    if (story.events.size() >= kEventsKept) return;
    story.events.push_back(event);
    if (event.parent >= 0) story.events.back().parent = event.parent + base;
  }
}

void Explain::keep(const std::string& trace_id, const std::vector<trace::Event>& events) {
  if (trace_id.empty() || events.empty()) return;
  auto shelf = shelf_.lock();
  auto& story = shelf->by_trace[trace_id];
  if (!story) {
    story = std::make_shared<Story>();
    story->trace_ids.push_back(trace_id);
    shelf->trace_order.push_back(trace_id);
    while (shelf->trace_order.size() > kTracesKept) {
      shelf->by_trace.erase(shelf->trace_order.front());
      shelf->trace_order.pop_front();
    }
  }
  append(*story, events);
}

void Explain::container_created(const std::string& id, const std::string& name, const std::string& image) {
  auto shelf = shelf_.lock();
  auto& story = shelf->by_container[id];
  if (!story) story = std::make_shared<Story>();
  story->id = id;
  story->name = name;
  story->image = image;
}

void Explain::join(const std::string& id, const std::string& trace_id) {
  if (trace_id.empty()) return;
  auto shelf = shelf_.lock();
  auto& story = shelf->by_container[id];
  if (!story) story = std::make_shared<Story>();
  story->id = id;
  if (std::find(story->trace_ids.begin(), story->trace_ids.end(), trace_id) != story->trace_ids.end()) return;
  if (story->trace_ids.size() >= 64) return;
  story->trace_ids.push_back(trace_id);
  auto& by_trace = shelf->by_trace[trace_id];
  if (by_trace == story) return;
  if (by_trace && by_trace->id.empty()) {
    append(*story, by_trace->events);  // the pull that came before the create
  } else if (!by_trace) {
    shelf->trace_order.push_back(trace_id);
  }
  by_trace = story;
}

void Explain::add(const std::string& id, const std::vector<trace::Event>& events) {
  auto shelf = shelf_.lock();
  auto it = shelf->by_container.find(id);
  if (it != shelf->by_container.end()) append(*it->second, events);
}

void Explain::container_removed(const std::string& id) {
  auto shelf = shelf_.lock();
  auto it = shelf->by_container.find(id);
  if (it == shelf->by_container.end() || it->second->removed) return;
  it->second->removed = true;
  shelf->removed.push_back(id);
  if (shelf->removed.size() > kThawed) {
    auto old = shelf->by_container.find(shelf->removed[shelf->removed.size() - 1 - kThawed]);
    if (old != shelf->by_container.end() && old->second->frozen.empty()) {
      old->second->frozen = json::text(trace::to_json(old->second->events));
      old->second->events = {};
    }
  }
  while (shelf->removed.size() > kRemovedKept) {
    shelf->by_container.erase(shelf->removed.front());
    shelf->removed.pop_front();
  }
}

Json Explain::get(std::string_view key) const {
  std::shared_ptr<Story> found;
  {
    auto shelf = shelf_.lock();
    std::string wanted(key);
    if (wanted.starts_with('/')) wanted.erase(0, 1);
    if (auto it = shelf->by_container.find(wanted); it != shelf->by_container.end()) found = it->second;
    if (!found) {
      if (auto it = shelf->by_trace.find(wanted); it != shelf->by_trace.end()) found = it->second;
    }
    for (const auto& [id, story] : shelf->by_container) {  // living ones before removed ones
      if (!found && !story->removed && story->name == wanted) found = story;
    }
    for (auto it = shelf->removed.rbegin(); !found && it != shelf->removed.rend(); ++it) {
      auto story = shelf->by_container.find(*it);
      if (story != shelf->by_container.end() && story->second->name == wanted) found = story->second;
    }
    if (!found && wanted.size() >= 3) {
      auto it = shelf->by_container.lower_bound(wanted);
      if (it != shelf->by_container.end() && it->first.starts_with(wanted)) found = it->second;
    }
    if (found && (!found->events.empty() || !found->frozen.empty())) {
      return JsonObject{{"Id", found->id},
                        {"Name", found->name},
                        {"Image", found->image},
                        {"TraceId", found->trace_ids.empty() ? std::string() : found->trace_ids.front()},
                        {"events", found->frozen.empty() ? trace::to_json(found->events) : json::parse(found->frozen)}};
    }
  }
  if (found && !found->id.empty()) {  // of a daemon before this one
    auto text = os::try_read_file(os::path_join(os::path_join(containers_dir_, found->id), "trace.json"));
    if (text) return json::parse(*text);
  }
  throw Error(ErrorKind::NotFound, cat("No trace is kept for: ", key));
}

void Explain::save(const std::string& id) const {
  Json story;
  try {
    story = get(id);
  } catch (const Error&) {
    return;
  }
  auto directory = os::path_join(containers_dir_, id);
  if (os::exists(directory)) os::replace_file(os::path_join(directory, "trace.json"), json::text(story), 0600);
}

}  // namespace proa::engine
