#include "runtime/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "os/file.h"
#include "os/own_program.h"

namespace proa::runtime {
namespace {

struct Command {
  std::string_view name;
  int (*run)(const GlobalOptions&, Words);
  std::string_view help;
};
constexpr std::array<Command, 17> kCommands = {
    {{"checkpoint", command_checkpoint, "checkpoint a running container"},
     {"create", command_create, "create a container"},
     {"delete", command_delete, "delete any resources held by the container"},
     {"events", command_events, "display container statistics (--stats)"},
     {"exec", command_exec, "execute new process inside the container"},
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

void append_log(const std::string& path, const std::string& format, const std::string& message) {
  std::string time = format_rfc3339(now());
  std::string line = cat("time=", quoted(time), " level=error msg=", quoted(message));
  if (format == "json") line = json::text(JsonObject{{"level", "error"}, {"msg", message}, {"time", time}});
  try {
    os::Fd log = os::open_file(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    os::write_all(log.get(), line + "\n");
  } catch (const Error&) {
    // Standard error has the message too.
  }
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

int dispatch(const Arguments& global, const GlobalOptions& options, const std::vector<std::string>& words) {
  if (global.has("version")) {
    print(cat("proa-runtime version ", PROA_VERSION, "\nspec: 1.3.0\n"));
    return 0;
  }
  if (global.has("help") || global.operands().empty()) {
    print_help();
    return 0;
  }
  for (const auto& command : kCommands) {
    if (command.name != global.operands()[0]) continue;
    if (global.operands().size() == 2 && (global.operands()[1] == "--help" || global.operands()[1] == "-h")) {
      print(cat("NAME:\n   proa-runtime ", command.name, " - ", command.help,
                "\n\nUSAGE:\n   proa-runtime [global options] ", command.name,
                " [options] [arguments...]: the options are runc's\n"));
      return 0;
    }
    if (command.run == command_create || command.run == command_run || command.run == command_exec) seal_self(words);
    return command.run(options, Words(global.operands()).subspan(1));
  }
  throw Error(ErrorKind::InvalidArgument, cat("No help topic for '", global.operands()[0], "'"));
}

}  // namespace

int runtime_main(const std::vector<std::string>& words) {
  ::signal(SIGPIPE, SIG_IGN);  // an error to clean up after, not an end; containers and hooks have the default
  std::string log_path, log_format;
  try {
    Arguments global(kGlobalFlags, words);
    log_path = global.value("log");
    log_format = global.value("log-format", "text");
    if (global.has("debug")) log::set_level(log::Level::Debug);
    GlobalOptions options;
    options.root = global.value("root", default_root());
    options.rootless = is_rootless(global);
    options.criu = global.value("criu");
    options.systemd_cgroup = global.has("systemd-cgroup");
    return dispatch(global, options, words);
  } catch (const Error& error) {
    if (!log_path.empty()) append_log(log_path, log_format, error.message());
    log::error(error.message());
    return 1;
  }
}

}  // namespace proa::runtime
