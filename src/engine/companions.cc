#include "engine/companions.h"

#include <algorithm>

#include "base/text.h"
#include "os/mount.h"

namespace proa::engine {
namespace {

constexpr std::string_view kMode = "container:", kShm = "/dev/shm";

std::string_view named_in(std::string_view mode) { return mode.substr(kMode.size()); }

ContainerPtr running_companion(const Roster& roster, std::string_view mode) {
  auto other = roster.get(named_in(mode));
  auto state = other->state();
  if (state.status == Status::Restarting) {
    throw Error(ErrorKind::Conflict,
                cat("Container ", other->id(), " is restarting, wait until the container is running"));
  }
  if (!state.running()) throw Error(ErrorKind::Conflict, cat("container ", other->id(), " is not running"));
  return other;
}

std::string namespace_path(const Container& container, std::string_view kind) {
  return cat("/proc/", container.state().pid, "/ns/", kind);
}

// What the user has mounted there is not the engine's to hand on.
bool has_own_shm(const Definition& definition) {
  return std::any_of(definition.mounts.begin(), definition.mounts.end(), [](const volume::MountPoint& point) {
    return point.destination == kShm || point.destination == "/dev";
  });
}

os::Fd shared_memory_of(const Container& container) {
  auto definition = container.definition();
  const auto& mode = definition->host_config.ipc_mode;
  bool shareable = mode == "shareable" || mode == "host" || joins_container(mode);
  if (shareable && !has_own_shm(*definition)) {
    if (auto mount = os::clone_mount_inside(container.state().pid, kShm)) return std::move(*mount);
  }
  throw Error(ErrorKind::Internal, cat("container ", container.id(),
                                       ": non-shareable IPC (hint: use IpcMode:shareable for the donor container)"));
}

}  // namespace

bool joins_container(std::string_view mode) { return mode.starts_with(kMode); }

void settle_companions(const Roster& roster, api::HostConfig& host) {
  for (auto* mode : {&host.pid_mode, &host.ipc_mode, &host.network_mode}) {
    if (!joins_container(*mode)) continue;
    if (auto other = roster.find(named_in(*mode)))
      *mode = cat(kMode, other->id());
    else if (mode != &host.network_mode)
      throw Error(ErrorKind::InvalidArgument, cat("No such container: ", named_in(*mode)));
  }
}

ContainerPtr network_companion(const Roster& roster, const Definition& definition) {
  const auto& mode = definition.host_config.network_mode;
  auto other = in_context("joining network namespace of container", [&] { return roster.get(named_in(mode)); });
  if (other->id() == definition.id) throw Error(ErrorKind::InvalidArgument, "cannot join own network namespace");
  auto state = other->state();
  if (!state.running()) {
    throw Error(ErrorKind::Conflict, cat("cannot join network namespace of a non running container: container ",
                                         other->name(), " is ", to_string(state.status)));
  }
  return other;
}

std::string pid_namespace(const Roster& roster, const api::HostConfig& host) {
  if (!joins_container(host.pid_mode)) return host.pid_mode == "host" ? "host" : "";
  return in_context("failed to join PID namespace",
                    [&] { return namespace_path(*running_companion(roster, host.pid_mode), "pid"); });
}

IpcPart ipc_part(const Roster& roster, const api::HostConfig& host) {
  if (!joins_container(host.ipc_mode)) return {host.ipc_mode == "host" ? "host" : "", std::nullopt};
  return in_context("failed to join IPC namespace", [&] {
    auto other = running_companion(roster, host.ipc_mode);
    return IpcPart{namespace_path(*other, "ipc"), shared_memory_of(*other)};
  });
}

}  // namespace proa::engine
