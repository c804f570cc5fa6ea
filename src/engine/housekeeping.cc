#include "engine/housekeeping.h"

#include "base/time.h"
#include "engine/directory_reserve.h"
#include "engine/launcher.h"
#include "engine/rooms.h"
#include "engine/workers.h"
#include "image/snapshots.h"
#include "network/networks.h"
#include "os/memory.h"
#include "store/database.h"

namespace proa::engine {
namespace {

constexpr std::int64_t kRestAfter = kSecond, kLongestWithoutCopy = 10 * kSecond;

void rest_if_quiet(Rooms& rooms) {
  std::int64_t left = rooms.last_request + kRestAfter - monotonic_now();
  if (left <= 0) rooms.rest_scheduled = false;
  if (left <= 0 || monotonic_now() - rooms.last_copy >= kLongestWithoutCopy) {
    rooms.last_copy = monotonic_now();
    rooms.database->try_keep_copy();
  }
  if (left > 0) return rooms.workers->run_after("resting", left, [&rooms] { rest_if_quiet(rooms); });
  os::give_back_memory();
}

}  // namespace

void empty_trash(Rooms& rooms) {
  rooms.trash_scheduled = false;
  // That it was removed is on the disk before it is gone from there.
  rooms.database->sync();
  rooms.snapshots->empty_trash();
}

void empty_trash_soon(Rooms& rooms) {
  constexpr std::int64_t kDelay = 300 * kMillisecond;
  if (rooms.trash_scheduled.exchange(true)) return;
  rooms.workers->run_after("emptying the trash", kDelay, [&rooms] { empty_trash(rooms); });
}

void sync_soon(Rooms& rooms) {
  if (rooms.sync_scheduled.exchange(true)) return;
  rooms.workers->run_after("putting records on the disk", kSecond, [&rooms] {
    rooms.sync_scheduled = false;
    rooms.database->sync();
  });
}

void make_ready_soon(Rooms& rooms) {
  // Not at once: the container that has just started has the machine first, and a short one its end as well.
  constexpr std::int64_t kDelay = 3 * kMillisecond;
  rooms.workers->run_after("making ready for the next start", kDelay, [&rooms] {
    rooms.launcher->keep_ready();
    rooms.networks->keep_ready();
    rooms.directories->refill();
  });
}

void rest_soon(Rooms& rooms) {
  rooms.last_request = monotonic_now();
  if (rooms.rest_scheduled.exchange(true)) return;
  rooms.workers->run_after("resting", kRestAfter, [&rooms] { rest_if_quiet(rooms); });
}

}  // namespace proa::engine
