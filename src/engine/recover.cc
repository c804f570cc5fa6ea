#include "engine/recover.h"

#include <set>

#include "base/log.h"
#include "base/text.h"
#include "engine/containers.h"
#include "engine/exits.h"
#include "engine/explain.h"
#include "engine/health.h"
#include "engine/housekeeping.h"
#include "engine/lifecycle.h"
#include "engine/monitor.h"
#include "engine/restart_policy.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "engine/unreachable.h"
#include "engine/workers.h"
#include "image/images.h"
#include "image/snapshots.h"
#include "network/networks.h"
#include "os/file.h"
#include "os/process.h"
#include "shim/client.h"
#include "store/database.h"
#include "volume/volumes.h"

namespace proa::engine {
namespace {

// As the shim knows it; but a pause for a commit that was cut is over.
bool is_paused(Rooms& rooms, const State& known, const Monitor::Recovered& found) {
  if (!found.state.paused || !known.paused_for_commit) return found.state.paused;
  try {
    shim::Client(rooms.monitor->run_dir(found.container_id)).resume();
    return false;
  } catch (const Error& error) {
    log::warn("it could not be resumed", {{"container", found.container_id}, {"error", error.message()}});
    return true;
  }
}

void take_shims(Rooms& rooms, std::set<std::string>& seen, std::vector<network::LiveContainer>& live,
                std::vector<std::pair<ContainerPtr, ExitReport>>& ended) {
  auto unreadable = rooms.roster->unreadable();
  for (auto& found : rooms.monitor->recover()) {
    auto container = rooms.roster->by_id(found.container_id);
    if (!container && unreadable.contains(found.container_id)) continue;
    if (!container) {
      // Its create or removal was cut: nobody owns it.
      log::warn("ending a container that no record owns", {{"container", found.container_id}});
      if (found.running) {
        try {
          shim::Client(rooms.monitor->run_dir(found.container_id)).signal(9, "", true);
        } catch (const Error& error) {
          log::warn("it could not be signalled", {{"container", found.container_id}, {"error", error.message()}});
        }
      } else {
        rooms.monitor->acknowledge(found.container_id);
      }
      continue;
    }
    seen.insert(found.container_id);
    container->run.needs_cleanup = true;
    auto state = container->state();
    if (!found.running) {
      // The start may have been cut before its commit: the exit belongs to it all the same.
      // (Another one's, not a later one's: the clock may have been set back.)
      bool another = found.exited.started_at != kZeroTime && found.exited.started_at != state.started_at;
      if (state.active() || another) {
        ended.emplace_back(container, report_of(found.exited));
      } else {
        rooms.monitor->acknowledge(found.container_id);
      }
      continue;
    }
    live.push_back({found.container_id, found.state.pid});
    auto status = is_paused(rooms, state, found) ? Status::Paused : Status::Running;
    bool same = state.pid == found.state.pid && state.start_ticks == found.state.start_time_ticks;
    if (same && state.status == status && !state.paused_for_commit) continue;
    rooms.roster->change_state(*container, [&](State& s) {
      s.status = status;
      s.paused_for_commit = false;
      s.pid = found.state.pid;
      s.start_ticks = found.state.start_time_ticks;
      s.started_at = found.state.started_at;
      s.starting = false;
      s.error.clear();
      s.exit_code = 0;
    });
  }
}

// Where records come from a copy: what was removed after it is known by it still, but has no directory.
void forget_what_was_removed(Rooms& rooms) {
  if (rooms.database->set_aside().empty()) return;
  for (const auto& container : rooms.roster->all()) {
    if (os::exists(os::path_join(rooms.containers_dir, container->id()))) continue;
    log::warn("the record of a container that has no directory is dropped: it was removed, or is lost",
              {{"container", container->id()}, {"name", container->name()}});
    rooms.roster->erase(*container);
  }
}

// To the trash; where records were lost, beside the damaged database: what is in there may be the only copy.
void remove_unowned_directories(Rooms& rooms) {
  auto unreadable = rooms.roster->unreadable();
  std::string aside = rooms.database->set_aside();
  if (!aside.empty()) os::make_dir(aside += ".containers", 0710);
  for (const auto& name : os::list_dir(rooms.containers_dir)) {
    if (rooms.roster->by_id(name) || unreadable.contains(name)) continue;
    auto directory = os::path_join(rooms.containers_dir, name);
    auto trash = os::path_join(rooms.trash_dir, cat("container-", name, "-", std::to_string(now())));
    auto kept = os::path_join(aside, name);
    if (!aside.empty())
      log::warn("a container's record is lost; its files are laid aside", {{"container", name}, {"directory", kept}});
    os::rename_path(directory, aside.empty() ? trash : kept);
  }
}

// Those that it links to are perhaps started again, too.
void wait_for_linked(Rooms& rooms, const Definition& definition) {
  constexpr std::int64_t kLongest = 5 * kSecond;
  auto runs = [](const Container::Epoch&, const Snapshot& now) { return now.state.running(); };
  for (const Link& link : definition.links)
    if (auto linked = rooms.roster->by_id(link.container_id)) linked->wait_for(runs, kLongest);
}

// What a cut pull, load, commit or removal left of images. Where records were lost nobody can tell.
void remove_unowned_content(Rooms& rooms) {
  if (rooms.database->set_aside().empty() && rooms.roster->unreadable().empty()) rooms.images->collect();
}

void start_again(Rooms& rooms) {
  for (const auto& container : rooms.roster->all()) {
    auto snapshot = container->snapshot();
    const auto& state = snapshot->state;
    if (state.running() || state.started_at == kZeroTime) continue;
    EndOfRun end{.exit_code = state.exit_code,
                 .restarts = state.restart_count,
                 .stopped_by_user = state.stopped_by_user,
                 .daemon_restarted = true};
    if (!restart_delay(snapshot->definition->host_config.restart_policy, end)) {
      if (state.status == Status::Restarting) {
        rooms.roster->change_state(*container, [](State& s) { s.status = Status::Exited; });
      }
      continue;
    }
    rooms.workers->run("starting a container again", [&rooms, container] {
      wait_for_linked(rooms, *container->definition());
      std::lock_guard guard(container->operation);
      if (container->state().running() || container->epoch().removed || rooms.stopping) return;
      rooms.lifecycle->start_locked(*container);
    });
  }
}

}  // namespace

bool restore_root(Rooms& rooms, const Container& container) {
  try {
    if (rooms.snapshots->restore(container.id(), layers_of(*container.definition())))
      log::warn("the root of a container was lost; it begins again from its image", {{"container", container.id()}});
    return true;
  } catch (const Error& error) {
    log::error("the root of a container is lost", {{"container", container.id()}, {"error", error.message()}});
    return false;
  }
}

void recover(Rooms& rooms) {
  forget_what_was_removed(rooms);
  for (const auto& container : rooms.roster->all()) {
    auto definition = container->definition();
    rooms.explain->container_created(definition->id, definition->name, definition->config.image);
    for (const auto& point : definition->mounts) {
      if (point.type == volume::Type::Volume) rooms.volumes->hold(point.name, definition->id);
    }
  }
  std::set<std::string> seen;
  std::vector<network::LiveContainer> live;
  std::vector<std::pair<ContainerPtr, ExitReport>> ended;
  take_shims(rooms, seen, live, ended);
  rooms.networks->recover(live);
  rooms.volumes->recover();
  for (auto& [container, report] : ended) rooms.exits->apply(*container, report);
  for (const auto& container : rooms.roster->all()) {
    auto state = container->state();
    if (seen.contains(container->id())) {
      if (state.running() && rooms.health) rooms.health->begin(*container);
      continue;
    }
    if (!state.running()) {
      if (container->definition()->host_config.auto_remove && state.status == Status::Exited) {
        rooms.workers->run("removing", [&rooms, container] {
          std::lock_guard guard(container->operation);
          if (!container->epoch().removed) rooms.containers->remove_stopped(*container, true);
        });
      }
      continue;
    }
    if (end_unreachable(state.pid, state.start_ticks))
      log::error("a running container was ended: its run directory is gone, and its shim cannot be found without",
                 {{"container", container->id()}});
    // It ran, and nothing is known of its end (the machine went down, or its shim with it): never 0.
    container->run.needs_cleanup = true;
    rooms.exits->apply(*container,
                       {.exit_code = 255, .signal = 0, .oom_killed = false, .finished_at = now(), .ran = 0});
  }
  for (const auto& container : rooms.roster->all()) restore_root(rooms, *container);
  remove_unowned_directories(rooms);
  remove_unowned_content(rooms);
  rooms.database->accept_losses();
  empty_trash_soon(rooms);
  start_again(rooms);
}

}  // namespace proa::engine
