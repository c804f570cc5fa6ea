// A command of `proa`: its table entry, and one call of it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/flags.h"
#include "cli/session.h"

namespace proa::cli {

struct Command;

// One call: what was typed, read by the command's table.
struct Call {
  const Command& command;
  std::string path;  // as typed: "ps" or "container ls"
  Flags flags;
  Session& session;

  const std::vector<std::string>& arguments() const { return flags.arguments(); }
};

struct Command {
  const char* paths;  // every spelling, the first is the full one: "container ls|container list|ps"
  const char* use;    // what follows the name: "[OPTIONS] CONTAINER"
  const char* brief;
  int min_arguments;
  int max_arguments;  // -1: any number
  int (*run)(Call&);
  std::span<const Flag> (*flags)() = nullptr;
  std::span<const Flag> (*more_flags)() = nullptr;
  bool interspersed = true;  // flags may follow arguments
  bool hidden = false;
};

// Ends the command: `message` goes to standard error (nothing if empty), the process exits with `status`.
struct ExitWith {
  int status;
  std::string message;
};

std::span<const Command> all_commands();
// The command typed as `path`; nullptr if there is none. Groups ("container") are no commands.
const Command* find_command(std::string_view path);
bool is_group(std::string_view name);

std::string command_help(const Command& command, std::string_view path, int width);
std::string group_help(std::string_view group);
std::string top_help(int width);
// "Usage:  proa ps [OPTIONS]"
std::string usage_line(const Command& command, std::string_view path);
std::span<const Flag> global_flags();

// The whole program.
int run_program(std::span<const std::string> words);

}  // namespace proa::cli
