// What the daemon does for itself while nobody waits.
#pragma once

namespace proa::engine {

struct Rooms;

// What was renamed to D/trash is deleted a while after, so that a burst of removals is one sweep.
void empty_trash(Rooms& rooms);
void empty_trash_soon(Rooms& rooms);
// Records of containers survive a loss of power from a second on; no start waits for the disk.
void sync_soon(Rooms& rooms);
// A shim, a network namespace and a directory for the next container.
void make_ready_soon(Rooms& rooms);
// After a second without a request or exit, the state database is copied and memory goes back to the kernel; without
// such a second there is a copy each ten.
void rest_soon(Rooms& rooms);

}  // namespace proa::engine
