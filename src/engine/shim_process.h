// A proa-shim that waits for its orders at the other end of a socket. It leaves by itself when the socket is closed
// before it got any.
#pragma once

#include <string>

#include "os/fd.h"
#include "os/process.h"

namespace proa::engine {

struct ShimProcess {
  os::Spawned child;
  os::Fd socket;  // SOCK_SEQPACKET: the CreateRequest goes in, its reply and notices come out
};

ShimProcess spawn_shim(const std::string& program);
// Waits for its end, at first `patience_ms`; then it is killed. With it goes its container (PR_SET_PDEATHSIG).
void end_shim(ShimProcess& shim, int patience_ms);

}  // namespace proa::engine
