// What was renamed to D/trash is deleted in the background, a while after, so that a burst of removals is one sweep.
#pragma once

namespace proa::engine {

struct Rooms;
void empty_trash(Rooms& rooms);
void empty_trash_soon(Rooms& rooms);

}  // namespace proa::engine
