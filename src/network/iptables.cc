#include "network/iptables.h"

#include <string>
#include <vector>

#include "base/text.h"
#include "os/file.h"
#include "os/process.h"

namespace proa::network {
namespace {

constexpr std::string_view kPrograms[] = {"/usr/sbin/iptables", "/usr/sbin/ip6tables"};

os::RunResult run(std::string_view program, std::vector<std::string> arguments) {
  os::RunOptions options;
  options.spawn.path = program;
  arguments.insert(arguments.begin(), {std::string(os::base_name(program)), "-w", "5"});
  options.spawn.argv = std::move(arguments);
  return os::run_program(options);
}

std::vector<std::string> rule(std::string_view action, std::string_view direction, std::string_view device) {
  return {std::string(action),
          "FORWARD",
          std::string(direction),
          std::string(device),
          "-m",
          "comment",
          "--comment",
          "proa",
          "-j",
          "ACCEPT"};
}

}  // namespace

void admit_bridge(std::string_view device) {
  for (std::string_view program : kPrograms) {
    if (!os::exists(program)) continue;
    os::RunResult rules = run(program, {"-S", "FORWARD"});
    if (rules.exit.code != 0 || !rules.out.starts_with("-P FORWARD DROP")) continue;
    for (std::string_view direction : {"-i", "-o"}) {
      if (run(program, rule("-C", direction, device)).exit.code == 0) continue;
      os::RunResult result = run(program, rule("-I", direction, device));
      if (result.exit.code != 0) throw Error(ErrorKind::Internal, cat("iptables: ", trim(result.err)));
    }
  }
}

void withdraw_bridge(std::string_view device) {
  for (std::string_view program : kPrograms) {
    if (!os::exists(program)) continue;
    os::RunResult rules = run(program, {"-S", "FORWARD"});
    // Ours are there only if the device is named.
    if (rules.exit.code != 0 || rules.out.find(cat(" ", device, " ")) == std::string::npos) continue;
    for (std::string_view direction : {"-i", "-o"}) run(program, rule("-D", direction, device));
  }
}

}  // namespace proa::network
