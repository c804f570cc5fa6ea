#include "engine/containers.h"

#include <algorithm>
#include <set>

#include "base/failpoint.h"
#include "base/text.h"
#include "base/trace.h"
#include "engine/attach.h"
#include "engine/event_attributes.h"
#include "engine/execs.h"
#include "engine/exits.h"
#include "engine/explain.h"
#include "engine/housekeeping.h"
#include "engine/lifecycle.h"
#include "engine/monitor.h"
#include "engine/names.h"
#include "engine/ps.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "engine/workers.h"
#include "image/snapshots.h"
#include "network/networks.h"
#include "os/file.h"
#include "os/file_walk.h"
#include "shim/client.h"
#include "volume/volumes.h"

namespace proa::engine {
namespace {

[[noreturn]] void refuse_running(std::string_view reference, const State& state) {
  if (state.status == Status::Paused) {
    throw Error(ErrorKind::Conflict,
                cat("cannot remove container \"", reference, "\": container is paused and must be unpaused first"));
  }
  if (state.status == Status::Restarting) {
    throw Error(ErrorKind::Conflict,
                cat("cannot remove container \"", reference,
                    "\": container is restarting: stop the container before removing or force remove"));
  }
  throw Error(ErrorKind::Conflict, cat("cannot remove container \"", reference,
                                       "\": container is running: stop the container before removing or force remove"));
}

std::string size_path(const std::string& containers_dir, const std::string& id) {
  return os::path_join(os::path_join(containers_dir, id), "upper");
}

// Mount points that a start had to make are not the container's doing: neither they, nor what is below them, nor the
// parents that changed only because of them.
std::vector<api::FilesystemChange> without_mount_points(const Definition& definition,
                                                        const std::vector<image::Change>& changes) {
  std::set<std::string> points = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev",
                                  "/proc",      "/sys",          "/sbin/docker-init"};
  for (const auto& mount : definition.mounts) points.insert(mount.destination);
  auto below_point = [&](const std::string& path) {
    for (std::string up = path; up.size() > 1; up = std::string(os::dir_name(up))) {
      if (points.contains(up)) return true;
    }
    return false;
  };
  auto parent_of_point = [&](const std::string& path) {
    return std::any_of(points.begin(), points.end(),
                       [&](const std::string& point) { return point.starts_with(path + "/"); });
  };
  std::vector<api::FilesystemChange> out;
  for (auto it = changes.rbegin(); it != changes.rend(); ++it) {  // children come first
    if (below_point(it->path) && it->kind != image::Change::Kind::Deleted) continue;
    bool has_child =
        std::any_of(out.begin(), out.end(), [&](const auto& other) { return other.path.starts_with(it->path + "/"); });
    if (parent_of_point(it->path) && !has_child && it->kind != image::Change::Kind::Deleted) continue;
    out.push_back({it->path, static_cast<int>(it->kind)});
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace

Containers::Containers(Rooms& rooms) : rooms_(rooms) {}

void Containers::rename(std::string_view reference, std::string_view new_name) {
  if (new_name.empty()) throw Error(ErrorKind::InvalidArgument, "Neither old nor new names may be empty");
  auto container = rooms_.roster->get(reference);
  constexpr std::string_view kContext = "Error when allocating new name";
  auto name = in_context(
      kContext, [&] { return checked_container_name(new_name.starts_with('/') ? new_name : cat("/", new_name)); });
  std::lock_guard guard(container->operation);
  auto old_name = container->name();
  if (old_name == name)
    throw Error(ErrorKind::InvalidArgument, "Renaming a container with the same name as its current name");
  in_context(kContext, [&] { rooms_.roster->rename(*container, name); });
  rooms_.networks->rename(container->id(), name);
  rooms_.explain->container_created(container->id(), name, container->definition()->config.image);
  emit_container(*rooms_.events, *container->definition(), "rename", {{"oldName", "/" + old_name}});
}

void Containers::remove(std::string_view reference, const RemoveOptions& options) {
  trace::Span span("engine.remove");
  auto container = rooms_.roster->get(reference);
  span.set("container", container->id());
  auto state = container->state();
  if (state.active() && !options.force) refuse_running(reference, state);
  bool killed = state.active();
  if (killed) {
    // Without the operation mutex, so that a stop with a long time-out does not hold us up.
    rooms_.roster->change_state(*container, [](State& s) { s.stopped_by_user = true; });
    rooms_.exits->kill_now(*container);
  }
  std::unique_lock guard(container->operation);
  if (container->epoch().removed) {
    if (killed) return;  // --rm was first
    throw Error(ErrorKind::NotFound, cat("No such container: ", reference));
  }
  state = container->state();
  if (state.active()) {
    if (!options.force) refuse_running(reference, state);
    rooms_.exits->kill_now(*container);
    rooms_.roster->change_state(*container, [](State& s) {
      if (s.status == Status::Restarting) s.status = Status::Exited;
    });
  }
  remove_stopped(*container, options.volumes);
}

void Containers::remove_link(std::string_view reference) {
  rooms_.roster->get(reference);
  std::string_view name = reference;
  if (name.starts_with('/')) name.remove_prefix(1);
  std::size_t slash = name.rfind('/');
  if (slash == name.npos)
    throw Error(ErrorKind::Internal, "Conflict, cannot remove the default link name of the container");
  auto linking = rooms_.roster->get(name.substr(0, slash));
  std::lock_guard guard(linking->operation);
  rooms_.roster->change_definition(*linking, [&](Definition& definition) {
    std::erase_if(definition.links, [&](const Link& link) { return link.alias == name.substr(slash + 1); });
  });
}

// Before the container's row goes: afterwards nothing would say whose they were.
void Containers::remove_anonymous_volumes(const Definition& definition) {
  for (const auto& point : definition.mounts) {
    if (point.type != volume::Type::Volume || !point.anonymous) continue;
    rooms_.volumes->release(point.name, definition.id);
    if (!rooms_.volumes->users(point.name).empty() || !rooms_.volumes->find(point.name)) continue;
    rooms_.volumes->remove(point.name, true);
    rooms_.events->emit("volume", "destroy", point.name, {{"driver", "local"}});
  }
}

void Containers::remove_stopped(Container& container, bool volumes) {
  trace::Span span("engine.erase");
  auto definition = container.definition();
  const auto& id = container.id();
  rooms_.exits->clean_up(container);
  if (volumes) remove_anonymous_volumes(*definition);
  FAILPOINT("remove.before_row");
  rooms_.roster->erase(container);
  // What stays if we die from here on is removed at start: no row owns it.
  FAILPOINT("remove.after_row");
  rooms_.explain->container_removed(id);
  rooms_.execs->forget_container(id);
  auto directory = os::path_join(rooms_.containers_dir, id);
  if (os::exists(directory)) os::rename_path(directory, os::path_join(rooms_.trash_dir, cat("container-", id)));
  empty_trash_soon(rooms_);
  for (const auto& point : definition->mounts) {
    if (point.type == volume::Type::Volume) rooms_.volumes->release(point.name, id);
  }
  emit_container(*rooms_.events, *definition, "destroy");
  container.mark_removed();
  rooms_.attach->container_removed(id);
}

api::ContainersPruneReport Containers::prune(const api::Filters& filters) {
  filters.check({"until", "label", "label!"});
  static std::mutex one_at_a_time;
  std::unique_lock only(one_at_a_time, std::try_to_lock);
  if (!only) throw Error(ErrorKind::Conflict, "a prune operation is already running");
  std::optional<UnixNanos> until;
  for (const auto& text : filters.get("until")) {
    until = parse_timestamp(text, now());
    if (!until) throw Error(ErrorKind::InvalidArgument, cat("invalid filter 'until=[", text, "]'"));
  }
  api::ContainersPruneReport report;
  for (const auto& container : rooms_.roster->all()) {
    auto snapshot = container->snapshot();
    if (snapshot->state.active() || snapshot->state.starting) continue;
    if (until && snapshot->definition->created >= *until) continue;
    if (!filters.matches_labels(snapshot->definition->config.labels)) continue;
    std::unique_lock guard(container->operation, std::try_to_lock);
    if (!guard || container->epoch().removed || container->state().active()) continue;
    auto upper = size_path(rooms_.containers_dir, container->id());
    auto size = os::exists(upper) ? os::disk_usage(upper) : 0;
    remove_stopped(*container, false);
    report.containers_deleted.push_back(container->id());
    report.space_reclaimed += size;
  }
  rooms_.events->emit("container", "prune", "", {{"reclaimed", std::to_string(report.space_reclaimed)}});
  return report;
}

api::TopResponse Containers::top(std::string_view reference, std::string_view ps_arguments) const {
  auto container = rooms_.roster->get(reference);
  auto state = container->state();
  if (!state.running()) throw Error(ErrorKind::Conflict, cat("container ", container->id(), " is not running"));
  auto pids = shim::Client(rooms_.monitor->run_dir(container->id())).pids();
  auto out = processes(pids, ps_arguments);
  emit_container(*rooms_.events, *container->definition(), "top");
  return out;
}

std::vector<api::FilesystemChange> Containers::changes(std::string_view reference) const {
  auto container = rooms_.roster->get(reference);
  return without_mount_points(*container->definition(), rooms_.snapshots->changes(container->id()));
}

}  // namespace proa::engine
