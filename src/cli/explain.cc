#include "cli/explain.h"

#include <unistd.h>

#include <stdlib.h>
#include <algorithm>
#include <map>

#include "base/text.h"
#include "base/time.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {

std::string attribute(const trace::Event& event, std::string_view key) {
  for (const auto& [name, value] : event.attributes)
    if (name == key) return value;
  return "";
}

std::int64_t end_of(const trace::Event& event) { return event.start + event.duration; }

bool holds(const trace::Event& outer, const trace::Event& inner) {
  constexpr std::int64_t kSlack = 20'000;  // two processes read the clock at slightly different places
  return inner.start >= outer.start - kSlack && end_of(inner) <= end_of(outer) + kSlack;
}

const trace::Event* find_event(const Explanation& explanation, std::string_view name) {
  const trace::Event* found = nullptr;
  for (const trace::Event& event : explanation.events)
    if (event.name == name) found = &event;
  return found;
}

std::string without_version(std::string path) {
  if (path.size() > 2 && path[0] == '/' && path[1] == 'v' && std::isdigit(static_cast<unsigned char>(path[2])))
    path.erase(0, std::min(path.find('/', 1), path.size()));
  return path;
}

// The request of the client that this root of the daemon answers or belongs to; -1: none.
int request_of(const std::vector<trace::Event>& client, const trace::Event& root) {
  int best = -1;
  bool answers = root.name == "api.request";
  for (std::size_t i = 0; i < client.size(); ++i) {
    if (client[i].name != "client.request") continue;
    bool same = answers && attribute(client[i], "method") == attribute(root, "method") &&
                without_version(attribute(client[i], "path")) == without_version(attribute(root, "path"));
    // A held request (wait, attach, pull) is answered at once and goes on: its beginning counts.
    bool begins = same && root.start >= client[i].start && root.start <= end_of(client[i]);
    if (begins || (!answers && holds(client[i], root))) best = static_cast<int>(i);
  }
  return best;
}

}  // namespace

Explanation explanation_from_json(const Json& value) {
  Explanation explanation;
  explanation.container = json::string_at(value, "Id");
  explanation.name = json::string_at(value, "Name");
  explanation.image = json::string_at(value, "Image");
  if (const Json* events = json::find(value, "events")) explanation.events = trace::events_from_json(*events);
  if (explanation.events.empty()) return explanation;
  explanation.begin = INT64_MAX;
  for (const trace::Event& event : explanation.events) {
    explanation.begin = std::min(explanation.begin, event.start);
    explanation.end = std::max(explanation.end, end_of(event));
  }
  if (const trace::Event* exit = find_event(explanation, "engine.exit"))
    explanation.end = std::max(end_of(*exit), explanation.begin + 1);
  return explanation;
}

void join_client(Explanation& explanation, const std::vector<trace::Event>& client, std::int64_t begin,
                 std::int64_t end) {
  std::vector<trace::Event> all = client;
  all.erase(
      std::remove_if(all.begin(), all.end(),
                     [](const trace::Event& event) { return attribute(event, "path").starts_with("/proa/explain"); }),
      all.end());
  if (all.size() != client.size())
    for (trace::Event& event : all)
      if (event.parent >= static_cast<int>(all.size())) event.parent = -1;
  std::vector<trace::Event> own = all;
  int shift = static_cast<int>(all.size());
  for (trace::Event event : explanation.events) {
    event.parent = event.parent >= 0 ? event.parent + shift : request_of(own, event);
    all.push_back(std::move(event));
  }
  std::int64_t first = end, last = begin;
  for (const trace::Event& event : own) {
    first = std::min(first, event.start);
    last = std::max(last, end_of(event));
  }
  explanation.events = std::move(all);
  explanation.begin = begin, explanation.end = end;
  explanation.events.push_back({"client.arguments", "proa", begin, std::max<std::int64_t>(0, first - begin), -1, {}});
  const trace::Event* exit = find_event(explanation, "engine.exit");
  if (exit && end > exit->start)
    explanation.events.push_back({"client.end", "proa", exit->start, end - exit->start, -1, {}});
}

void add_container_run(Explanation& explanation) {
  const trace::Event* exit = find_event(explanation, "engine.exit");
  const trace::Event* started = find_event(explanation, "runtime.exec");
  if (!started) started = find_event(explanation, "runtime.start");
  if (!started) started = find_event(explanation, "engine.launch");
  if (started && (attribute(*started, "not_done") == "true" || attribute(*started, "failed") != "")) return;
  if (!started || end_of(*started) >= explanation.end) return;
  std::int64_t stop = exit && exit->start > end_of(*started) ? exit->start : explanation.end;
  explanation.events.push_back({"container.run", "container", end_of(*started), stop - end_of(*started), -1, {}});
}

void add_client_pauses(Explanation& explanation) {
  std::vector<std::pair<std::int64_t, std::int64_t>> requests;
  for (const trace::Event& event : explanation.events)
    if (event.name == "api.request") requests.emplace_back(event.start, end_of(event));
  std::sort(requests.begin(), requests.end());
  std::int64_t reached = INT64_MAX;
  for (const auto& [from, to] : requests) {
    if (from > reached) explanation.events.push_back({"client.pause", "client", reached, from - reached, -1, {}});
    reached = reached == INT64_MAX ? to : std::max(reached, to);
  }
}

double accounted_share(const Explanation& explanation) {
  std::vector<std::pair<std::int64_t, std::int64_t>> spans;
  for (const trace::Event& event : explanation.events) {
    std::int64_t from = std::max(event.start, explanation.begin), to = std::min(end_of(event), explanation.end);
    if (to > from) spans.emplace_back(from, to);
  }
  std::sort(spans.begin(), spans.end());
  std::int64_t covered = 0, reached = explanation.begin;
  for (const auto& [from, to] : spans) {
    if (to <= reached) continue;
    covered += to - std::max(from, reached);
    reached = to;
  }
  std::int64_t wall = explanation.end - explanation.begin;
  return wall > 0 ? static_cast<double>(covered) / static_cast<double>(wall) : 1;
}

void explain_run(Session& session, const std::string& id) {
  std::int64_t end = monotonic_now();
  std::vector<trace::Event> client = session.recorder().events();
  std::optional<Json> answer;
  try {
    answer = session.find(cat("/proa/explain/", path_escape(id.empty() ? session.trace_id() : id)));
  } catch (const Error&) {
    // an old daemon, or another one
  }
  if (!answer && id.empty()) {
    answer = JsonObject{};  // no request reached it
  } else if (!answer) {
    err_line("proa: this daemon cannot explain: it is not proad");
    answer = JsonObject{{"Id", id}};
  }
  Explanation explanation = explanation_from_json(*answer);
  join_client(explanation, client, session.begin(), end);
  add_container_run(explanation);
  err(render_tree(explanation, is_terminal(STDERR_FILENO) && !::getenv("NO_COLOR")));
}

int run_explain(Call& call) {
  std::string format = call.flags.text("format");
  if (format != "tree" && format != "json" && format != "chrome")
    throw ExitWith{1,
                   cat("invalid value for \"format\": ", quoted(format), ": must be \"tree\", \"json\" or \"chrome\"")};
  Explanation explanation =
      explanation_from_json(call.session.get(cat("/proa/explain/", path_escape(call.arguments()[0]))));
  add_container_run(explanation);
  add_client_pauses(explanation);
  if (format == "tree")
    out(render_tree(explanation, is_terminal(STDOUT_FILENO) && !::getenv("NO_COLOR")));
  else
    out_line(format == "json" ? render_json(explanation) : render_chrome(explanation));
  return 0;
}

}  // namespace proa::cli
