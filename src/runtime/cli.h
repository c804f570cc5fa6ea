// proa-runtime: runc's command line over the runtime library.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "runtime/arguments.h"

namespace proa::runtime {

struct GlobalOptions {
  std::string root;
  bool systemd_cgroup = false;
  bool rootless = false;  // a container may do without a control group
  std::string criu;       // the program; "" is criu of $PATH
  int given_fds = 0;      // how many descriptors from 3 on the caller has left open for us, without a gap
};

// One function per command, in commands_*.cc; each returns the exit code.
using Words = std::span<const std::string>;
int command_create(const GlobalOptions& global, Words words);
int command_start(const GlobalOptions& global, Words words);
int command_run(const GlobalOptions& global, Words words);
int command_exec(const GlobalOptions& global, Words words);
int command_kill(const GlobalOptions& global, Words words);
int command_delete(const GlobalOptions& global, Words words);
int command_state(const GlobalOptions& global, Words words);
int command_list(const GlobalOptions& global, Words words);
int command_ps(const GlobalOptions& global, Words words);
int command_pause(const GlobalOptions& global, Words words);
int command_resume(const GlobalOptions& global, Words words);
int command_update(const GlobalOptions& global, Words words);
int command_events(const GlobalOptions& global, Words words);
int command_checkpoint(const GlobalOptions& global, Words words);
int command_restore(const GlobalOptions& global, Words words);
int command_spec(const GlobalOptions& global, Words words);
int command_features(const GlobalOptions& global, Words words);

// The whole program. Errors go to standard error and, as runc writes them, to --log.
int runtime_main(const std::vector<std::string>& words);

}  // namespace proa::runtime
