#include "runtime/supervisor.h"

#include <sys/socket.h>

#include <algorithm>

#include "base/text.h"
#include "os/socket.h"
#include "os/syscalls.h"

namespace proa::runtime {

std::optional<Supervisor> supervisor_of(const oci::Spec& spec, std::string_view id, std::string_view bundle,
                                        pid_t pid) {
  const auto& seccomp = spec.linux.seccomp;
  bool asked = seccomp && std::any_of(seccomp->syscalls.begin(), seccomp->syscalls.end(),
                                      [](const auto& rule) { return rule.action == "SCMP_ACT_NOTIFY"; });
  if (!asked) return std::nullopt;
  JsonObject message{{"ociVersion", spec.oci_version}, {"fds", JsonArray{"seccompFd"}}, {"pid", pid}};
  if (!seccomp->listener_metadata.empty()) message["metadata"] = seccomp->listener_metadata;
  message["state"] = state_document(spec, id, "running", pid, bundle);
  return Supervisor{pid, seccomp->listener_path, json::text(message)};
}

void tell_supervisor(const Supervisor& supervisor, int listener) {
  in_context(cat("seccomp listener ", supervisor.path), [&] {
    os::Fd process = os::open_pidfd(supervisor.pid);
    os::Fd taken = os::take_descriptor(process.get(), listener);
    os::send_message(os::connect_unix(supervisor.path, SOCK_STREAM).get(), supervisor.message, {taken.get()});
  });
}

}  // namespace proa::runtime
