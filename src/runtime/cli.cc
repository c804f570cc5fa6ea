#include "runtime/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "base/text.h"
#include "os/file.h"
#include "os/own_program.h"
#include "runtime/command_flags.h"

namespace proa::runtime {
namespace {

struct Command {
  std::string_view name, operands;
  int (*run)(const GlobalOptions&, Words);
  std::span<const FlagSpec> flags;
  std::string_view help;
  int failure = 1;  // its exit code where it fails
};
constexpr std::array<Command, 17> kCommands = {
    {{"checkpoint", "CONTAINER", command_checkpoint, kCheckpointFlags, "checkpoint a running container"},
     {"create", "CONTAINER", command_create, kCreateFlags, "create a container of a bundle; `start` runs its process"},
     {"delete", "CONTAINER", command_delete, kDeleteFlags, "delete any resources held by the container"},
     {"events", "CONTAINER", command_events, kEventsFlags, "display container statistics"},
     {"exec", "CONTAINER COMMAND [ARG...]", command_exec, kExecFlags, "execute new process inside the container", 255},
     {"features", "", command_features, {}, "show the enabled features, as JSON"},
     {"kill", "CONTAINER [SIGNAL]", command_kill, kKillFlags,
      "send the specified signal (default: SIGTERM) to the container's init process"},
     {"list", "", command_list, kListFlags, "list the containers below --root"},
     {"pause", "CONTAINER", command_pause, {}, "suspend all processes inside the container"},
     {"ps", "CONTAINER [PS-OPTION...]", command_ps, kPsFlags, "display the processes running inside a container"},
     {"restore", "CONTAINER", command_restore, kRestoreFlags, "restore a container from a previous checkpoint"},
     {"resume", "CONTAINER", command_resume, {}, "resume all processes that have been paused"},
     {"run", "CONTAINER", command_run, kRunFlags, "create and run a container of a bundle"},
     {"spec", "", command_spec, kSpecFlags, "create a new specification file, config.json, to be changed as needed"},
     {"start", "CONTAINER", command_start, {}, "execute the user defined process in a created container"},
     {"state", "CONTAINER", command_state, {}, "output the state of a container, as JSON"},
     {"update", "CONTAINER", command_update, kUpdateFlags, "update container resource constraints"}}};

constexpr FlagSpec kGlobalFlags[] = {
    {"root", "", true,
     "directory of the containers' states (default: /run/proa-runtime, a user's below $XDG_RUNTIME_DIR)"},
    {"log", "", true, "file to write the log to (default: standard error)"},
    {"log-format", "", true, "text or json (default: text)"},
    {"debug", "", false, "log what is for debugging too"},
    {"systemd-cgroup", "", false, "systemd makes the control groups; cgroupsPath is SLICE:PREFIX:NAME"},
    {"rootless", "", true, "true, false or auto: do without control groups that are denied (default: auto)"},
    {"criu", "", true, "the CRIU to use (default: criu of $PATH)"},
    {"help", "h", false, "show this"},
    {"version", "v", false, "show the version"}};

void print(std::string_view text) { os::write_all(STDOUT_FILENO, text); }

// A line for each: "   --bundle value, -b value   the bundle's directory".
std::string describe(std::span<const FlagSpec> flags) {
  std::vector<std::string> names;
  std::size_t width = 0;
  for (const auto& flag : flags) {
    std::string_view value = flag.takes_value ? " value" : "";
    names.push_back(cat("--", flag.name, value));
    if (!flag.short_name.empty()) names.back() += cat(", -", flag.short_name, value);
    width = std::max(width, names.back().size());
  }
  std::string text;
  for (std::size_t i = 0; i < flags.size(); ++i) {
    text += cat("   ", names[i], std::string(width - names[i].size() + 2, ' '), flags[i].help, "\n");
  }
  return text;
}

void print_help() {
  std::string text =
      cat("NAME:\n   proa-runtime - runs containers as the Open Container Initiative specifies; the command line is "
          "runc's\n\n"
          "A container is made of a bundle: a directory with config.json (`proa-runtime spec` writes an example) and a "
          "root\n"
          "file system. CONTAINER is a name for it, the only one of its kind on the host:\n\n"
          "    # proa-runtime run --bundle DIRECTORY CONTAINER\n\n"
          "USAGE:\n   proa-runtime [global options] COMMAND [options] [arguments...]\n\nVERSION:\n   ",
          PROA_VERSION, "\n\nCOMMANDS:\n");
  for (const auto& command : kCommands) {
    text += cat("   ", command.name, std::string(12 - command.name.size(), ' '), command.help, "\n");
  }
  text += cat("   help        show this, or the help of one command\n\nGLOBAL OPTIONS:\n", describe(kGlobalFlags));
  print(text);
}

// Containers see our executable as /proc/self/exe for a moment: it must not be the host's file (security.md R4).
// Executes this program again from where nobody can write to it, unless that has been done.
void seal_self(const std::vector<std::string>& words) {
  if (os::own_program_is_sealed()) return;
  os::Fd program = os::seal_own_program();
  std::vector<char*> argv{const_cast<char*>("proa-runtime")};
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::execve(os::fd_path(program.get()).c_str(), argv.data(), environ);
  os::fail("execute a read-only copy of this program");
}

// --log, --log-format and --debug. The descriptor is open to this program's end.
void set_log(const Arguments& global) {
  std::string format = global.value("log-format", "text");
  if (format != "text" && format != "json") {
    throw Error(ErrorKind::InvalidArgument, cat("invalid log-format: ", format));
  }
  if (format == "json") log::set_format(log::Format::Json);
  if (global.has("debug")) log::set_level(log::Level::Debug);
  if (auto path = global.value("log"); !path.empty()) {
    log::set_output(os::open_file(path, O_WRONLY | O_CREAT | O_APPEND, 0644).release());
  }
}

// What callers show to people stands on standard error in any case.
void report(const Error& error, bool logged_elsewhere) {
  log::error(error.message());
  if (logged_elsewhere) std::fprintf(stderr, "%s\n", error.message().c_str());
}

// Whether the caller may be denied control groups: an ordinary user, or root of a user namespace.
bool is_rootless(const Arguments& global) {
  std::string given = global.value("rootless", "auto");
  if (given == "true" || given == "false") return given == "true";
  if (given != "auto") {
    throw Error(ErrorKind::InvalidArgument, cat("invalid value ", quoted(given), " for flag -rootless"));
  }
  if (::geteuid() != 0) return true;
  auto map = split(os::try_read_file("/proc/self/uid_map", 4096).value_or(""), ' ');
  std::erase(map, "");
  return map.size() >= 3 && trim(map[2]) != "4294967295";
}

std::string default_root() {
  const char* own = ::getenv("XDG_RUNTIME_DIR");
  return ::geteuid() != 0 && own && *own ? os::path_join(own, "proa-runtime") : "/run/proa-runtime";
}

std::string usage_of(const Command& command) {
  std::string options = describe(command.flags);
  return cat("NAME:\n   proa-runtime ", command.name, " - ", command.help,
             "\n\nUSAGE:\n   proa-runtime [global options] ", command.name, options.empty() ? "" : " [options]",
             command.operands.empty() ? "" : " ", command.operands, "\n", options.empty() ? "" : "\nOPTIONS:\n",
             options);
}

// What a caller with --preserve-fds may mean; before anything of ours is open.
int given_descriptors() {
  int count = 0;
  while (::fcntl(3 + count, F_GETFD) >= 0) ++count;
  return count;
}

int run_command(const Command& command, const GlobalOptions& options, Words operands) {
  if (operands.size() == 1 && (operands[0] == "--help" || operands[0] == "-h")) {
    print(usage_of(command));
    return 0;
  }
  try {
    return command.run(options, operands);
  } catch (const UsageError& error) {
    print(cat("Incorrect Usage: ", error.message(), "\n\n", usage_of(command)));
    throw;
  }
}

int dispatch(const Arguments& global, const GlobalOptions& options, const std::vector<std::string>& words) {
  bool logs_elsewhere = !global.value("log").empty();
  Words operands = global.operands();
  if (!operands.empty() && (operands[0] == "help" || operands[0] == "h")) operands = operands.subspan(1);
  bool asks_for_help = operands.size() != global.operands().size();
  if (global.has("version")) {
    print(cat("proa-runtime version ", PROA_VERSION, "\nspec: 1.3.0\n"));
    return 0;
  }
  if (global.has("help") || operands.empty()) {
    print_help();
    return 0;
  }
  auto command =
      std::find_if(kCommands.begin(), kCommands.end(), [&](const Command& one) { return one.name == operands[0]; });
  if (command == kCommands.end()) {
    report(Error(ErrorKind::InvalidArgument, cat("No help topic for '", operands[0], "'")), logs_elsewhere);
    return 3;
  }
  if (asks_for_help) {
    print(usage_of(*command));
    return 0;
  }
  if (command->run == command_create || command->run == command_run || command->run == command_exec) seal_self(words);
  try {
    return run_command(*command, options, operands.subspan(1));
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    report(error, logs_elsewhere);
    return command->failure;
  }
}

}  // namespace

int runtime_main(const std::vector<std::string>& words) {
  ::signal(SIGPIPE, SIG_IGN);  // an error to clean up after, not an end; containers and hooks have the default
  bool logs_elsewhere = false;
  try {
    GlobalOptions options;
    options.given_fds = given_descriptors();
    Arguments global(kGlobalFlags, words);
    set_log(global);
    logs_elsewhere = !global.value("log").empty();
    options.root = global.value("root", default_root());
    options.rootless = is_rootless(global);
    options.criu = global.value("criu");
    options.systemd_cgroup = global.has("systemd-cgroup");
    return dispatch(global, options, words);
  } catch (const Error& error) {
    report(error, logs_elsewhere);
    return 1;
  }
}

}  // namespace proa::runtime
