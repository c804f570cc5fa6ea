// Other programs: started without copying our memory (vfork semantics), held by pidfd, waited for with a deadline.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "os/fd.h"

namespace proa::os {

struct FdMapping {
  int from;  // ours
  int to;    // its number in the program; not close-on-exec there
};

enum class NewGroup { None, ProcessGroup, Session };

struct SpawnOptions {
  std::string path;               // the file to execute; "" means argv[0], searched in our $PATH if it has no slash
  std::vector<std::string> argv;  // never empty
  std::optional<std::vector<std::string>> env;  // "NAME=value"; nullopt: ours
  std::string cwd;                              // "" : ours
  // 0, 1 and 2 stay ours unless mapped here; every other descriptor not mapped is closed.
  std::vector<FdMapping> fds;
  NewGroup group = NewGroup::None;
  int parent_death_signal = 0;  // PR_SET_PDEATHSIG: when the thread that spawned it ends
};

struct Spawned {
  pid_t pid = -1;
  Fd pidfd;
};

// Returns when the program runs. Throws what kept it from running ("exec /bin/x: no such file or directory").
// The program starts with no signal blocked and every signal at its default. Its cost does not grow with our size.
Spawned spawn(const SpawnOptions& options);

struct ExitStatus {
  int code = 0;             // exit code; 128 + signal where a signal ended it
  int signal = 0;           // the signal, or 0
  pid_t signal_sender = 0;  // not known to wait(2): always 0 here, filled in by who knows
  bool core_dumped = false;
};

// Reaps the child behind `pidfd`. timeout in milliseconds, -1: for ever. nullopt: still running.
std::optional<ExitStatus> wait_exit(int pidfd, int timeout_ms = -1);

struct RunOptions {
  SpawnOptions spawn;                  // its fds 0, 1, 2 are set by run_program
  std::string input;                   // given on standard input, then end of file
  std::size_t output_limit = 1 << 20;  // of standard output and error each; more is read and dropped
  std::int64_t timeout_ms = 30'000;    // then SIGKILL and Error(Deadline); -1: none
};
struct RunResult {
  ExitStatus exit;
  std::string out, err;
  bool truncated = false;
};
// Runs a program to its end. Throws if it could not be started or took too long, not for its exit code.
RunResult run_program(const RunOptions& options);

// pidfd_open(2), pidfd_send_signal(2). A process that is gone: nullopt, false.
std::optional<Fd> try_open_pidfd(pid_t pid);
bool try_signal_pidfd(int pidfd, int signal);
// Field 22 of /proc/PID/stat: with the pid it names a process for as long as the host is up. nullopt: it is gone.
std::optional<std::uint64_t> start_time_ticks(pid_t pid);
std::optional<pid_t> parent_of(pid_t pid);

// "SIGTERM", "TERM", "term", "15" (and SIGRTMIN+n): the number; nullopt if there is no such signal.
std::optional<int> parse_signal(std::string_view text);
std::string signal_name(int signal);  // "SIGTERM"; "" if it has none

}  // namespace proa::os
