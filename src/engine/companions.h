// The containers whose namespaces another one joins: --network, --pid and --ipc container:X.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/roster.h"
#include "os/fd.h"

namespace proa::engine {

bool joins_container(std::string_view mode);  // "container:X"

// At the creation: the names become ids, so that neither a rename nor a later container of that name changes what is
// joined. Throws where there is no such container; only that of a network may come later.
void settle_companions(const Roster& roster, api::HostConfig& host);

// At the start, with docker's texts for what cannot be joined.
ContainerPtr network_companion(const Roster& roster, const Definition& definition);
// Path of the namespace to join; "": a new one; "host".
std::string pid_namespace(const Roster& roster, const api::HostConfig& host);
struct IpcPart {
  std::string path;              // as above
  std::optional<os::Fd> shared;  // a detached mount of the other container's /dev/shm
};
IpcPart ipc_part(const Roster& roster, const api::HostConfig& host);

}  // namespace proa::engine
