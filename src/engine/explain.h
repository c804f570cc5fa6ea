// What happened behind a container: the spans of every request, process and step, kept per container.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/sync.h"
#include "base/trace.h"

namespace proa::engine {

class Explain {
 public:
  explicit Explain(std::string containers_dir) : containers_dir_(std::move(containers_dir)) {}

  // The server, once per request, when it has its id: joins later events of the request to the container's.
  // Spans recorded by `trace_id` before the container had an id (the pull) are kept under the trace id.
  void keep(const std::string& trace_id, const std::vector<trace::Event>& events);

  // {"Id","Name","Image","TraceId","events":[...]}; `key` is a container's id, name or a trace id. Throws NotFound.
  Json get(std::string_view key) const;

  // Not for requests.
  void container_created(const std::string& id, const std::string& name, const std::string& image);
  void add(const std::string& id, const std::vector<trace::Event>& events);
  // The trace the current request belongs to is the container's.
  void join(const std::string& id, const std::string& trace_id);
  void container_removed(const std::string& id);
  void save(const std::string& id) const;

 private:
  struct Story {
    std::string id, name, image;
    std::vector<std::string> trace_ids;
    std::vector<trace::Event> events;
    std::string frozen;  // the events as JSON text, a fifth of their size, once the container is long gone
    bool removed = false;
  };
  struct Shelf {
    std::map<std::string, std::shared_ptr<Story>> by_container;
    std::map<std::string, std::shared_ptr<Story>> by_trace;
    std::deque<std::string> removed;      // container ids, oldest first
    std::deque<std::string> trace_order;  // oldest first
  };
  static void append(Story& story, const std::vector<trace::Event>& events);

  std::string containers_dir_;
  mutable Sync<Shelf> shelf_;
};

// The trace id of the request this thread serves; "" outside. The server sets it beside its trace::Scope.
class RequestTrace {
 public:
  explicit RequestTrace(std::string trace_id);
  ~RequestTrace();
  RequestTrace(const RequestTrace&) = delete;
  RequestTrace& operator=(const RequestTrace&) = delete;
  static const std::string& id();
};

}  // namespace proa::engine
