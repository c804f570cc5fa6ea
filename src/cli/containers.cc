// Verbs that do one thing to each container named.
#include <fcntl.h>
#include <unistd.h>

#include "api/containers.h"
#include "base/text.h"
#include "cli/attached.h"
#include "cli/console.h"
#include "cli/create_options.h"
#include "cli/grammars.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "os/file.h"

namespace proa::cli {

namespace {

// Each name is tried; what failed is told, one line each. 1 if any did.
template <class F>
int for_each(const std::vector<std::string>& names, F&& f) {
  int status = 0;
  for (const std::string& name : names) {
    try {
      f(name);
      out_line(name);
    } catch (const Error& error) {
      err_line(error.message());
      status = 1;
    }
  }
  return status;
}

int post_each(Call& call, std::string_view verb, const Query& query = {}) {
  return for_each(call.arguments(),
                  [&](const std::string& name) { call.session.post(container_path(name, verb), query); });
}

Query stop_query(const Flags& flags) {
  Query query;
  if (flags.given("signal")) query.emplace_back("signal", flags.text("signal"));
  if (flags.given("timeout")) query.emplace_back("t", cat(flags.number("timeout")));
  return query;
}

}  // namespace

int run_stop(Call& call) { return post_each(call, "stop", stop_query(call.flags)); }
int run_restart(Call& call) { return post_each(call, "restart", stop_query(call.flags)); }
int run_pause(Call& call) { return post_each(call, "pause"); }
int run_unpause(Call& call) { return post_each(call, "unpause"); }

int run_kill(Call& call) {
  Query query;
  if (call.flags.given("signal")) query.emplace_back("signal", call.flags.text("signal"));
  return post_each(call, "kill", query);
}

int run_remove(Call& call) {
  Query query;
  bool force = call.flags.on("force");
  if (call.flags.on("volumes")) query.emplace_back("v", "1");
  if (call.flags.on("link")) query.emplace_back("link", "1");
  if (force) query.emplace_back("force", "1");
  int status = 0;
  for (std::string name : call.arguments()) {
    while (name.starts_with('/')) name.erase(0, 1);
    if (name.empty()) {
      err_line("Container name cannot be empty");
      status = 1;
      continue;
    }
    try {
      call.session.erase(container_path(name), query);
      out_line(name);
    } catch (const Error& error) {
      err_line(error.message());
      if (!force || error.kind() != ErrorKind::NotFound) status = 1;
    }
  }
  return status;
}

int run_rename(Call& call) {
  std::string from(trim(call.arguments()[0])), to(trim(call.arguments()[1]));
  if (from.empty() || to.empty()) throw ExitWith{1, "Error: Neither old nor new names may be empty"};
  try {
    call.session.post(container_path(from, "rename"), {{"name", to}});
  } catch (const Error& error) {
    throw ExitWith{1, cat(error.message(), "\nError: failed to rename container named ", from)};
  }
  return 0;
}

int run_wait(Call& call) {
  int status = 0;
  for (const std::string& name : call.arguments()) {
    try {
      out_line(cat(WaitRequest(call.session, name, "").status()));
    } catch (const Error& error) {
      err_line(error.message());
      status = 1;
    }
  }
  return status;
}

int run_update(Call& call) {
  if (call.flags.none_given()) throw ExitWith{1, "you must provide one or more flags when using this command"};
  api::UpdateConfig update;
  plan_resources(call.flags, update);
  if (call.flags.given("restart")) update.restart_policy = parse_restart(call.flags.text("restart"));
  std::vector<std::string> warnings;
  int status = for_each(call.arguments(), [&](const std::string& name) {
    Json reply = call.session.post(container_path(name, "update"), {}, api::to_json(update));
    const Json* list = json::find(reply, "Warnings");
    if (!list || !list->is_array()) return;
    for (const Json& one : list->get_array())
      if (one.is_string()) warnings.emplace_back(std::string_view(one.get_string()));
  });
  if (!warnings.empty()) err_line(join(warnings, "\n"));
  return status;
}

int run_diff(Call& call) {
  Json changes = call.session.get(container_path(call.arguments()[0], "changes"));
  if (!changes.is_array()) return 0;
  static constexpr char kKinds[] = {'C', 'A', 'D'};
  for (const Json& change : changes.get_array()) {
    std::int64_t kind = json::int_at(change, "Kind");
    out_line(cat(kind >= 0 && kind < 3 ? kKinds[kind] : '?', " ", json::string_at(change, "Path")));
  }
  return 0;
}

int run_top(Call& call) {
  const std::vector<std::string>& words = call.arguments();
  Query query;
  if (words.size() > 1) query.emplace_back("ps_args", join(std::span<const std::string>(words).subspan(1), " "));
  Json reply = call.session.get(container_path(words[0], "top"), query);
  auto row = [](const Json& cells) {
    std::vector<std::string> texts;
    if (cells.is_array())
      for (const Json& cell : cells.get_array())
        texts.emplace_back(cell.is_string() ? std::string_view(cell.get_string()) : "");
    return join(texts, "\t") + "\n";
  };
  std::string text;
  if (const Json* titles = json::find(reply, "Titles")) text += row(*titles);
  if (const Json* processes = json::find(reply, "Processes"); processes && processes->is_array()) {
    for (const Json& process : processes->get_array()) text += row(process);
  }
  out(align_tabs(text, {20, 3}));
  return 0;
}

int run_port(Call& call) {
  const std::string& container = call.arguments()[0];
  Json inspected = call.session.get(container_path(container, "json"));
  const Json* settings = json::find(inspected, "NetworkSettings");
  const Json* ports = settings ? json::find(*settings, "Ports") : nullptr;
  auto addresses = [](const Json& bindings) {
    std::vector<std::string> lines;
    if (bindings.is_array()) {
      for (const Json& one : bindings.get_array()) {
        std::string ip = json::string_at(one, "HostIp");
        lines.push_back(
            cat(ip.find(':') != std::string::npos ? cat("[", ip, "]") : ip, ":", json::string_at(one, "HostPort")));
      }
    }
    return lines;
  };
  if (call.arguments().size() > 1) {
    auto [number, protocol] = cut(call.arguments()[1], '/');
    std::string port = cat(number, "/", protocol.value_or("tcp"));
    const Json* bindings = ports ? json::find(*ports, port) : nullptr;
    std::vector<std::string> lines = bindings ? addresses(*bindings) : std::vector<std::string>{};
    if (lines.empty())
      throw ExitWith{1, cat("Error: No public port '", call.arguments()[1], "' published for ", container)};
    out_line(join(lines, "\n"));
    return 0;
  }
  std::map<std::pair<int, std::string>, std::string> sorted;
  if (ports && ports->is_object()) {
    for (const auto& [port, bindings] : ports->get_object()) {
      std::string text;
      for (const std::string& line : addresses(bindings)) text += cat(std::string_view(port), " -> ", line, "\n");
      sorted[{parse_int<int>(cut(std::string_view(port), '/').first).value_or(0), std::string(port)}] = text;
    }
  }
  for (const auto& [port, text] : sorted) out(text);
  return 0;
}

int run_export(Call& call) {
  std::string path = call.flags.text("output");
  if (path.empty() && is_terminal(STDOUT_FILENO)) {
    throw ExitWith{1, "cowardly refusing to save to a terminal. Use the -o flag or redirect"};
  }
  StreamRequest request;
  request.path = container_path(call.arguments()[0], "export");
  auto response = call.session.stream(request);
  os::Fd file;
  if (!path.empty()) file = os::open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  std::vector<std::byte> buffer(64 << 10);
  while (std::size_t count = response->read(buffer)) {
    os::write_all(file ? file.get() : STDOUT_FILENO, {reinterpret_cast<const char*>(buffer.data()), count});
  }
  return 0;
}

}  // namespace proa::cli
