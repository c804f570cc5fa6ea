#include "engine/housekeeping.h"

#include <malloc.h>

#include "base/time.h"
#include "engine/rooms.h"
#include "engine/workers.h"
#include "image/snapshots.h"

namespace proa::engine {

void empty_trash(Rooms& rooms) {
  rooms.trash_scheduled = false;
  rooms.snapshots->empty_trash();
  ::malloc_trim(0);  // what a burst of containers took is given back
}

void empty_trash_soon(Rooms& rooms) {
  constexpr std::int64_t kDelay = 300 * kMillisecond;
  if (rooms.trash_scheduled.exchange(true)) return;
  rooms.workers->run_after("emptying the trash", kDelay, [&rooms] { empty_trash(rooms); });
}

}  // namespace proa::engine
