#include "engine/ps.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "os/process.h"

namespace proa::engine {
namespace {

std::vector<std::string> words(std::string_view text, std::size_t limit) {
  std::vector<std::string> out;
  std::size_t at = 0;
  while (at < text.size()) {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
    if (at >= text.size()) break;
    if (out.size() + 1 == limit) {
      out.emplace_back(trim(text.substr(at)));
      break;
    }
    auto end = std::min(text.find_first_of(" \t", at), text.size());
    out.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

}  // namespace

api::TopResponse parse_ps(std::string_view output, const std::vector<pid_t>& pids) {
  std::set<std::string> wanted;
  for (auto pid : pids) wanted.insert(std::to_string(pid));
  api::TopResponse out;
  auto lines = split(output, '\n');
  out.titles = words(lines.front(), std::string::npos);
  auto column = std::find(out.titles.begin(), out.titles.end(), "PID");
  if (column == out.titles.end()) throw Error(ErrorKind::InvalidArgument, "Couldn't find PID field in ps output");
  auto index = static_cast<std::size_t>(column - out.titles.begin());
  for (std::size_t i = 1; i < lines.size(); ++i) {
    auto row = words(lines[i], out.titles.size());
    if (row.size() > index && wanted.contains(row[index])) out.processes.push_back(std::move(row));
  }
  return out;
}

api::TopResponse processes(const std::vector<pid_t>& pids, std::string_view ps_arguments) {
  os::RunOptions run;
  run.spawn.argv = {"ps"};
  auto arguments = words(ps_arguments.empty() ? "-ef" : ps_arguments, std::string::npos);
  run.spawn.argv.insert(run.spawn.argv.end(), arguments.begin(), arguments.end());
  run.output_limit = 16 << 20;
  // Named by their pids they are shown whatever ps would choose by itself; arguments that forbid that go without.
  std::vector<std::string> numbers;
  for (pid_t pid : pids) numbers.push_back(std::to_string(pid));
  auto named = run;
  named.spawn.argv.insert(named.spawn.argv.end(), {"-q", join(numbers, ",")});
  auto result = os::run_program(named);
  if (result.exit.code != 0) result = os::run_program(run);
  if (result.exit.code != 0) throw Error(ErrorKind::Internal, cat("ps: ", trim(cut(result.err, '\n').first)));
  return parse_ps(result.out, pids);
}

}  // namespace proa::engine
