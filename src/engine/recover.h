// The start of the daemon: records, shims, networks and directories are brought together again.
#pragma once

namespace proa::engine {

struct Rooms;

// Running containers run on; those that ended meanwhile get their true exit; half-made ones vanish; what nobody owns is
// removed; restart policies and --rm go on.
void recover(Rooms& rooms);

}  // namespace proa::engine
