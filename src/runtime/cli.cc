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

namespace proa::runtime {
namespace {

struct Command {
  std::string_view name;
  int (*run)(const GlobalOptions&, Words);
  std::string_view help;
  int failure = 1;  // its exit code where it fails
};
constexpr std::array<Command, 17> kCommands = {
    {{"checkpoint", command_checkpoint, "checkpoint a running container"},
     {"create", command_create, "create a container"},
     {"delete", command_delete, "delete any resources held by the container"},
     {"events", command_events, "display container statistics (--stats)"},
     {"exec", command_exec, "execute new process inside the container", 255},
     {"features", command_features, "show the enabled features"},
     {"kill", command_kill, "send the specified signal (default: SIGTERM) to the container's init process"},
     {"list", command_list, "list containers"},
     {"pause", command_pause, "suspend all processes inside the container"},
     {"ps", command_ps, "display the processes running inside a container"},
     {"restore", command_restore, "restore a container from a previous checkpoint"},
     {"resume", command_resume, "resume all processes that have been paused"},
     {"run", command_run, "create and run a container"},
     {"spec", command_spec, "create a new specification file"},
     {"start", command_start, "execute the user defined process in a created container"},
     {"state", command_state, "output the state of a container"},
     {"update", command_update, "update container resource constraints"}}};

constexpr FlagSpec kGlobalFlags[] = {{"root", "", true},   {"log", "", true},       {"log-format", "", true},
                                     {"debug", "", false}, {"criu", "", true},      {"rootless", "", true},
                                     {"help", "h", false}, {"version", "v", false}, {"systemd-cgroup", "", false}};

void print(std::string_view text) { os::write_all(STDOUT_FILENO, text); }

void print_help() {
  std::string text = "NAME:\n   proa-runtime - OCI runtime with runc's command line\n\nCOMMANDS:\n";
  for (const auto& command : kCommands) {
    text += cat("   ", command.name, std::string(12 - command.name.size(), ' '), command.help, "\n");
  }
  text +=
      "\nGLOBAL OPTIONS:\n   --root value  --log value  --log-format text|json  --debug  --systemd-cgroup  --version\n";
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
  return cat("NAME:\n   proa-runtime ", command.name, " - ", command.help,
             "\n\nUSAGE:\n   proa-runtime [global options] ", command.name,
             " [options] [arguments...]: the options are runc's\n");
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
    Arguments global(kGlobalFlags, words);
    set_log(global);
    logs_elsewhere = !global.value("log").empty();
    GlobalOptions options;
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
