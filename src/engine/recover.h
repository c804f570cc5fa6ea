// The start of the daemon: records, shims, networks and directories are brought together again.
#pragma once

namespace proa::engine {

struct Rooms;
class Container;

// Running containers run on; those that ended meanwhile get their true exit; half-made ones vanish; what nobody owns is
// removed; restart policies and --rm go on.
void recover(Rooms& rooms);

// Makes again what is missing of the directories of a container's root: which of them are on the disk when the power
// fails nobody knows. False, and the log says why: they cannot be made.
bool restore_root(Rooms& rooms, const Container& container);

}  // namespace proa::engine
