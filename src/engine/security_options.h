// `--security-opt`, read (pure).
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace proa::engine {

struct SecurityOptions {
  std::optional<bool> no_new_privileges;
  std::string seccomp;   // "": the default; "unconfined"; else a profile's JSON
  std::string apparmor;  // "": the default
  bool label_disabled = false;
  std::string selinux_label;
  bool unconfined_paths = false;  // systempaths=unconfined
  bool writable_cgroups = false;
};
// Throws InvalidArgument: `invalid --security-opt 2: "x"`.
SecurityOptions parse_security_options(const std::vector<std::string>& options);

}  // namespace proa::engine
