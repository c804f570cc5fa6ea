// Spans: what was done, when, for how long, with which arguments. Always on, microseconds each, bounded.
//
//   trace::Recorder recorder("proad");
//   trace::Scope scope(recorder);            // spans of this thread go there
//   trace::Span span("network.veth");        // a child of the innermost open span
//   span.set("name", "veth1a2b");
//
// Without a Scope a Span does nothing. Times are CLOCK_MONOTONIC, so that spans of the client, daemon, shim and
// runtime join without translation.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace proa::trace {

struct Event {
  std::string name;           // dotted, lower case: "runtime.mount"
  std::string process;        // "proa", "proad", "shim", "init"
  std::int64_t start = 0;     // ns, CLOCK_MONOTONIC
  std::int64_t duration = 0;  // ns; 0 for a point in time
  int parent = -1;            // index into the same list, -1 for a root
  std::vector<std::pair<std::string, std::string>> attributes;
};

Json to_json(const std::vector<Event>& events);
// Leaves out what it cannot read; parents stay inside the list. At most kMaxEvents are taken.
std::vector<Event> events_from_json(const Json& value);

inline constexpr std::size_t kMaxEvents = 4096;

// Thread-safe; several threads may record into one. Past kMaxEvents further spans are counted, not kept.
class Recorder {
 public:
  explicit Recorder(std::string process) : process_(std::move(process)) {}

  int begin(std::string_view name, int parent);
  void set(int index, std::string_view key, std::string value);
  void end(int index);
  void add(Event event);  // a finished one, its parent an index of this recorder
  // Another process's events: their roots become children of `parent`.
  void adopt(const std::vector<Event>& events, int parent);
  std::vector<Event> events() const;

 private:
  mutable std::mutex mutex_;
  std::string process_;
  std::vector<Event> events_;
};

// Makes `recorder` the one for this thread's spans while it lives; `parent` is where they hang.
class Scope {
 public:
  explicit Scope(Recorder& recorder, int parent = -1);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Recorder* previous_;
  int previous_parent_;
};

class Span {
 public:
  explicit Span(std::string_view name);
  ~Span() { end(); }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

  void set(std::string_view key, std::string value);
  void set(std::string_view key, std::int64_t value) { set(key, std::to_string(value)); }
  void end();
  int index() const { return index_; }

 private:
  Recorder* recorder_;
  int index_ = -1;
  int previous_parent_ = -1;
  int throwing_ = 0;  // exceptions that were on their way up when it began
};

// The recorder of this thread, nullptr without a Scope; and where a span opened now would hang.
Recorder* current();
int current_parent();
// A finished child of the innermost open span that began at `start` (monotonic_now()) and ends now.
void record(std::string_view name, std::int64_t start,
            std::vector<std::pair<std::string, std::string>> attributes = {});

}  // namespace proa::trace
