// What happened behind a command, from the spans of client, daemon, shim and runtime.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/trace.h"
#include "cli/session.h"

namespace proa::cli {

struct Explanation {
  std::string container, image;
  std::vector<trace::Event> events;
};
Explanation explanation_from_json(const Json& value);

// The tree for people. `colour`: with ANSI sequences.
std::string render_tree(const Explanation& explanation, bool colour);
// Chrome's trace format, for Perfetto and chrome://tracing.
std::string render_chrome(const Explanation& explanation);

// After `run --explain`: asks the daemon, joins the client's own spans, prints the tree on standard error.
void explain_run(Session& session, const std::string& id);

}  // namespace proa::cli
