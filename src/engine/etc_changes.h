// /etc/hosts and /etc/resolv.conf of a container that runs, when its networks change.
#pragma once

#include "engine/container.h"
#include "network/etc_files.h"
#include "network/records.h"

namespace proa::engine {

struct Rooms;

network::ResolvInput resolv_input(const Rooms& rooms, const api::HostConfig& host, network::Resolver resolver);

// Its new address gets a line; on the first user-defined network the embedded DNS is what it asks, unless somebody
// has changed its resolv.conf.
void note_connected(const Rooms& rooms, const Definition& definition, const network::Endpoint& endpoint);
// The lines of an address that it has no more go.
void note_disconnected(const Rooms& rooms, const Definition& definition, const network::Endpoint& endpoint);

}  // namespace proa::engine
