// From the words of the command line to the command, and from what it throws to the exit status.
#include <signal.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/console.h"

namespace proa::cli {

namespace {

constexpr int kFlagMistake = 125;

int help_width() { return terminal_width(80) - 1; }

std::string argument_count_message(const Command& command, std::string_view path, std::size_t count) {
  auto counted = [](int n) { return cat(n, n == 1 ? " argument" : " arguments"); };
  int low = command.min_arguments, high = command.max_arguments;
  std::string wants, see = "Run";
  if (high == 0) {
    wants = "accepts no arguments";
  } else if (low == high) {
    wants = cat("requires ", counted(low));
  } else if (high < 0) {
    wants = cat("requires at least ", counted(low));
    see = "See";
  } else if (low > 0) {
    wants = cat("requires at least ", low, " and at most ", counted(high));
  } else {
    wants = cat("requires at most ", counted(high));
  }
  (void)count;
  return cat("proa: 'proa ", path, "' ", wants, "\n\n", usage_line(command, path), "\n\n", see, " 'proa ", path,
             " --help' for more information");
}

int unknown_command(std::string_view group, std::string_view name) {
  if (group.empty()) {
    err(cat("proa: unknown command: proa ", name, "\n\nRun 'proa --help' for more information\n"));
  } else {
    err(cat("proa: unknown command: proa ", group, " ", name, "\n\nUsage:  proa ", group, "\n\nRun 'proa ", group,
            " --help' for more information\n"));
  }
  return 1;
}

// Docker commands that Proa does not have yet: said plainly instead of "unknown command".
bool is_docker_command(std::string_view name) {
  static constexpr std::string_view kNames[] = {"build",    "builder", "buildx", "checkpoint", "commit", "compose",
                                                "config",   "context", "import", "load",       "login",  "logout",
                                                "manifest", "node",    "plugin", "push",       "save",   "secret",
                                                "service",  "stack",   "swarm",  "trust"};
  for (std::string_view one : kNames)
    if (one == name) return true;
  return false;
}

int call_command(const Command& command, std::string_view path, std::span<const std::string> words, Session& session) {
  Flags::Table table;
  if (command.flags) table.push_back(command.flags());
  if (command.more_flags) table.push_back(command.more_flags());
  try {
    Call call{command, std::string(path), Flags(std::move(table), words, command.interspersed), session};
    for (const std::string& warning : call.flags.warnings()) err_line(warning);
    if (call.flags.wants_help()) {
      out(command_help(command, path, help_width()));
      return 0;
    }
    int count = static_cast<int>(call.arguments().size());
    if (count < command.min_arguments || (command.max_arguments >= 0 && count > command.max_arguments)) {
      err_line(argument_count_message(command, path, call.arguments().size()));
      return 1;
    }
    return command.run(call);
  } catch (const FlagError& mistake) {
    err(cat(mistake.message, "\n\n", usage_line(command, path), "\n\nRun 'proa ", path,
            " --help' for more information\n"));
    return kFlagMistake;
  }
}

GlobalOptions global_options(const Flags& flags) {
  GlobalOptions options;
  if (flags.list("host").size() > 1) throw ExitWith{1, "Specify only one -H"};
  options.host = flags.text("host");
  options.context = flags.text("context");
  options.config = flags.text("config");
  options.debug = flags.on("debug");
  options.tls = flags.on("tls");
  options.tls_verify = flags.on("tlsverify");
  options.tls_ca = flags.text("tlscacert");
  options.tls_cert = flags.text("tlscert");
  options.tls_key = flags.text("tlskey");
  return options;
}

int print_help(std::span<const std::string> words) {
  if (words.empty()) {
    out(top_help(help_width()));
    return 0;
  }
  std::string path = join(words, " ");
  if (const Command* command = find_command(path)) {
    out(command_help(*command, path, help_width()));
  } else if (words.size() == 1 && is_group(words[0])) {
    out(group_help(words[0]));
  } else {
    err(cat("unknown help topic: ", path, "\n"));
    return 1;
  }
  return 0;
}

int run_group(const std::string& group, std::span<const std::string> words, Session& session) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    out(group_help(group));
    return 0;
  }
  if (words[0].starts_with('-')) {
    std::string_view word = words[0];
    std::string what = word.starts_with("--") ? cat("unknown flag: ", cut(word, '=').first)
                                              : cat("unknown shorthand flag: '", word.substr(1, 1), "' in ", word);
    err(cat(what, "\n\nUsage:  proa ", group, " COMMAND\n\nRun 'proa ", group, " --help' for more information\n"));
    return kFlagMistake;
  }
  std::string path = cat(group, " ", words[0]);
  const Command* command = find_command(path);
  return command ? call_command(*command, path, words.subspan(1), session) : unknown_command(group, words[0]);
}

int dispatch(std::span<const std::string> words) {
  std::vector<std::string> rest;
  GlobalOptions options;
  try {
    Flags flags({global_flags()}, words, false);
    for (const std::string& warning : flags.warnings()) err_line(warning);
    if (flags.on("version")) {
      out_line("Proa version " PROA_VERSION);
      return 0;
    }
    if (flags.wants_help()) return print_help({});
    rest = flags.arguments();
    options = global_options(flags);
  } catch (const FlagError& mistake) {
    err(cat(mistake.message,
            "\n\nUsage:  proa [OPTIONS] COMMAND [ARG...]\n\nRun 'proa --help' for more information\n"));
    return kFlagMistake;
  }
  if (rest.empty()) return print_help({});
  std::span<const std::string> arguments = std::span<const std::string>(rest).subspan(1);
  Session session(std::move(options));
  if (rest[0] == "help") return print_help(arguments);
  if (is_group(rest[0])) return run_group(rest[0], arguments, session);
  if (const Command* command = find_command(rest[0])) return call_command(*command, rest[0], arguments, session);
  if (is_docker_command(rest[0])) {
    throw ExitWith{1, cat("proa: '", rest[0],
                          "' is a docker command that this version of Proa does not have.\n"
                          "The daemon speaks the Docker Engine API: a docker client may offer it (DOCKER_HOST=",
                          session.host(), ").")};
  }
  return unknown_command("", rest[0]);
}

}  // namespace

int run_program(std::span<const std::string> words) {
  try {
    return dispatch(words);
  } catch (const ExitWith& exit) {
    if (!exit.message.empty()) err_line(exit.message);
    return exit.status;
  } catch (const FlagError& mistake) {
    err_line(mistake.message);
    return 1;
  } catch (const Error& error) {
    err_line(error.message());
    return 1;
  } catch (const std::exception& error) {
    err_line(cat("proa: ", error.what()));
    return 1;
  }
}

}  // namespace proa::cli
