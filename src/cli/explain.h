// What happened behind a command, from the spans of client, daemon, shim and runtime.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/trace.h"
#include "cli/session.h"

namespace proa::cli {

struct Explanation {
  std::string container, name, image;
  std::vector<trace::Event> events;  // parents before children
  std::int64_t begin = 0, end = 0;   // the wall time to account for (monotonic ns)
};

// The daemon's answer. begin and end: from the first event to the exit, or the last event.
Explanation explanation_from_json(const Json& value);
// The client's own events joined: what the daemon did hangs below the request that asked for it.
void join_client(Explanation& explanation, const std::vector<trace::Event>& client, std::int64_t begin,
                 std::int64_t end);
// Makes the time between the start of the program and its exit an event of its own ("container.run").
void add_container_run(Explanation& explanation);
// Makes the time in which the client had no request under way events of their own ("client.pause"): where the client
// sent no spans, as docker's CLI.
void add_client_pauses(Explanation& explanation);
// The part of [begin, end] in which at least one event was open, 0 to 1.
double accounted_share(const Explanation& explanation);

// The tree for people. `colour`: with ANSI sequences.
std::string render_tree(const Explanation& explanation, bool colour);
std::string render_json(const Explanation& explanation);
// Chrome's trace format, for Perfetto and chrome://tracing.
std::string render_chrome(const Explanation& explanation);

// After `run --explain`: asks the daemon, joins the client's own spans, prints the tree on standard error. Without an
// ID no container came of it.
void explain_run(Session& session, const std::string& id);

}  // namespace proa::cli
