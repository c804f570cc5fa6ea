// "There is no daemon. Start it?"
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/console.h"
#include "cli/session.h"
#include "os/file.h"
#include "os/own_program.h"
#include "os/process.h"
#include "os/socket.h"

namespace proa::cli {

namespace {

// Beside this program, else on $PATH.
std::string daemon_program() {
  std::string beside = os::program_beside("proad");
  return ::access(beside.c_str(), X_OK) == 0 ? beside : "proad";
}

bool answers(const std::string& path) {
  try {
    os::connect_unix(path, SOCK_STREAM);
    return true;
  } catch (const Error&) {
    return false;
  }
}

void sleep_ms(long ms) {
  timespec time{ms / 1000, ms % 1000 * 1000000};
  ::nanosleep(&time, nullptr);
}

}  // namespace

bool offer_to_start(std::string_view host) {
  constexpr std::string_view kUnix = "unix://";
  if (!host.starts_with(kUnix) || host.ends_with("/docker.sock") || ::geteuid() != 0) return false;
  if (!is_terminal(STDIN_FILENO) || !is_terminal(STDERR_FILENO)) return false;
  err(cat("Cannot connect to the Proa daemon at ", host, ".\nStart it now? [y/N] "));
  std::string answer;
  for (char c = 0; ::read(STDIN_FILENO, &c, 1) == 1 && c != '\n';) answer += c;
  std::string word = to_lower(trim(answer));
  if (word != "y" && word != "yes") return false;
  std::string path(host.substr(kUnix.size())), log = "/var/log/proad.log";
  os::Fd null = os::open_file("/dev/null", O_RDWR), sink = os::open_file(log, O_WRONLY | O_CREAT | O_APPEND, 0640);
  os::SpawnOptions options;
  options.argv = {daemon_program(), "--host", std::string(host)};
  options.cwd = "/";
  options.fds = {{null.get(), 0}, {sink.get(), 1}, {sink.get(), 2}};
  options.group = os::NewGroup::Session;
  os::Spawned daemon = os::spawn(options);
  for (int i = 0; i < 1000; ++i) {
    if (answers(path)) {
      err_line(cat("Started proad (pid ", daemon.pid, "); its log is ", log, ", 'kill ", daemon.pid, "' stops it."));
      return true;
    }
    if (os::wait_exit(daemon.pidfd.get(), 0)) break;
    sleep_ms(10);
  }
  err_line(cat("proad did not come up: see ", log));
  return false;
}

}  // namespace proa::cli
