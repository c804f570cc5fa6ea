// The text of --help, as cobra and pflag lay it out.
#include <algorithm>

#include "base/text.h"
#include "cli/command.h"

namespace proa::cli {

namespace {

// pflag's wrapN: up to `width` bytes of `text`, a little more where that ends the text.
std::pair<std::string_view, std::string_view> wrap_line(std::size_t width, std::size_t slop, std::string_view text) {
  if (width + slop > text.size()) return {text, ""};
  std::size_t blank = text.substr(0, width).find_last_of(" \t\n");
  if (blank == std::string_view::npos || blank == 0) return {text, ""};
  std::size_t line = text.substr(0, width).rfind('\n');
  if (line != std::string_view::npos && line > 0 && line < blank) return {text.substr(0, line), text.substr(line + 1)};
  return {text.substr(0, blank), text.substr(blank + 1)};
}

std::string wrap(std::size_t indent, std::size_t width, std::string_view text) {
  std::string out, margin = "\n" + std::string(indent, ' ');
  std::size_t room = width > indent ? width - indent : 0;
  if (room < 24) {
    margin = "\n" + std::string(16, ' ');
    room = width > 16 ? width - 16 : 0;
    out = margin;
  }
  if (room < 24) return replace_all(text, "\n", margin);
  constexpr std::size_t kSlop = 5;
  room -= kSlop;
  auto [line, rest] = wrap_line(room, kSlop, text);
  out += replace_all(line, "\n", margin);
  while (!rest.empty()) {
    std::tie(line, rest) = wrap_line(room, kSlop, rest);
    out += margin + replace_all(line, "\n", margin);
  }
  return out;
}

std::string list_commands(std::string_view title, std::span<const std::pair<std::string, std::string>> entries) {
  std::size_t width = 11;
  for (const auto& [name, brief] : entries) width = std::max(width, name.size());
  std::string text = cat(title, ":\n");
  for (const auto& [name, brief] : entries)
    text += cat("  ", name, std::string(width - name.size() + 1, ' '), brief, "\n");
  return text;
}

using Entries = std::vector<std::pair<std::string, std::string>>;

// The commands directly below `group` ("" for the top), one spelling each.
Entries commands_in(std::string_view group) {
  Entries entries;
  for (const Command& command : all_commands()) {
    if (command.hidden) continue;
    for (const std::string& path : split(command.paths, '|')) {
      auto [first, second] = cut(path, ' ');
      bool here = group.empty() ? !second : second && first == group;
      if (!here) continue;
      entries.emplace_back(second ? std::string(*second) : path, command.brief);
      break;
    }
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

struct Group {
  const char* name;
  const char* brief;
};
constexpr Group kGroups[] = {{"container", "Manage containers"}, {"image", "Manage images"},
                             {"network", "Manage networks"},     {"registry", "Serve images to other hosts"},
                             {"system", "Manage Proa"},          {"volume", "Manage volumes"}};
constexpr std::string_view kCommon[] = {"run", "exec", "ps", "pull", "images", "explain", "version", "info"};

}  // namespace

std::string flag_usages(const Flags::Table& table, int width) {
  std::vector<const Flag*> flags;
  for (std::span<const Flag> part : table) {
    for (const Flag& flag : part)
      if (!flag.hidden && !flag.deprecated) flags.push_back(&flag);
  }
  static constexpr Flag kHelp{"help", 0, Kind::Bool, "Print usage"};
  if (flags.size() > 60) flags.push_back(&kHelp);  // docker shows it for run and create alone
  std::sort(flags.begin(), flags.end(),
            [](const Flag* a, const Flag* b) { return std::string_view(a->name) < b->name; });
  std::vector<std::string> heads;
  std::size_t longest = 0;
  for (const Flag* flag : flags) {
    std::string head = flag->letter ? cat("  -", flag->letter, ", --", flag->name) : cat("      --", flag->name);
    if (!value_name(flag->kind).empty()) head += cat(" ", value_name(flag->kind));
    longest = std::max(longest, head.size());
    heads.push_back(std::move(head));
  }
  std::string text;
  for (std::size_t i = 0; i < flags.size(); ++i) {
    text += cat(heads[i], std::string(longest - heads[i].size() + 3, ' '),
                wrap(longest + 3, static_cast<std::size_t>(width), flags[i]->usage), "\n");
  }
  return text;
}

std::string usage_line(const Command& command, std::string_view path) {
  return cat("Usage:  proa ", path, command.use[0] ? " " : "", command.use);
}

std::string command_help(const Command& command, std::string_view path, int width) {
  std::string text = cat(usage_line(command, path), "\n\n", command.brief, "\n");
  std::vector<std::string> spellings = split(command.paths, '|');
  if (spellings.size() > 1) {
    for (std::string& one : spellings) one = cat("proa ", one);
    text += cat("\nAliases:\n  ", join(spellings, ", "), "\n");
  }
  Flags::Table table;
  if (command.flags) table.push_back(command.flags());
  if (command.more_flags) table.push_back(command.more_flags());
  if (!table.empty()) text += cat("\nOptions:\n", flag_usages(table, width));
  return text;
}

std::string group_help(std::string_view group) {
  std::string brief;
  for (const Group& one : kGroups)
    if (group == one.name) brief = one.brief;
  return cat("Usage:  proa ", group, " COMMAND\n\n", brief, "\n\n", list_commands("Commands", commands_in(group)),
             "\nRun 'proa ", group, " COMMAND --help' for more information on a command.\n");
}

std::string top_help(int width) {
  Entries common, groups, others;
  for (std::string_view name : kCommon) {
    if (const Command* command = find_command(name)) common.emplace_back(std::string(name), command->brief);
  }
  for (const Group& one : kGroups) groups.emplace_back(one.name, one.brief);
  for (auto& entry : commands_in("")) {
    if (std::find(std::begin(kCommon), std::end(kCommon), entry.first) == std::end(kCommon))
      others.push_back(std::move(entry));
  }
  return cat("Usage:  proa [OPTIONS] COMMAND\n\nA container engine that explains itself\n\n",
             list_commands("Common Commands", common), "\n", list_commands("Management Commands", groups), "\n",
             list_commands("Commands", others), "\nGlobal Options:\n", flag_usages({global_flags()}, width),
             "\nRun 'proa COMMAND --help' for more information on a command.\n");
}

bool is_group(std::string_view name) {
  for (const Group& one : kGroups)
    if (name == one.name) return true;
  return false;
}

}  // namespace proa::cli
