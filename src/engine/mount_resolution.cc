#include "engine/mount_resolution.h"

#include "base/text.h"
#include "base/trace.h"
#include "engine/events.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "os/file.h"
#include "volume/volumes.h"

namespace proa::engine {
namespace {

bool source_exists(const std::string& path) { return os::exists(path); }

volume::MountRequest request_of(const api::Mount& mount) {
  volume::MountRequest out;
  out.type = mount.type;
  out.source = mount.source;
  out.target = mount.target;
  out.consistency = mount.consistency;
  out.read_only = mount.read_only;
  if (mount.bind_options) {
    out.has_bind_options = true;
    out.bind_propagation = mount.bind_options->propagation;
    out.bind_non_recursive = mount.bind_options->non_recursive;
    out.bind_create_source = mount.bind_options->create_mountpoint;
    out.bind_read_only_non_recursive = mount.bind_options->read_only_non_recursive;
    out.bind_read_only_force_recursive = mount.bind_options->read_only_force_recursive;
  }
  if (mount.volume_options) {
    out.has_volume_options = true;
    out.volume_no_copy = mount.volume_options->no_copy;
    out.volume_subpath = mount.volume_options->subpath;
    out.volume_labels = mount.volume_options->labels;
    if (mount.volume_options->driver_config) {
      out.volume_driver = mount.volume_options->driver_config->name;
      out.volume_driver_options = mount.volume_options->driver_config->options;
    }
  }
  if (mount.tmpfs_options) {
    out.has_tmpfs_options = true;
    out.tmpfs_size = mount.tmpfs_options->size_bytes;
    out.tmpfs_mode = mount.tmpfs_options->mode;
  }
  return out;
}

}  // namespace

std::vector<volume::MountPoint> resolve_mounts(Rooms& rooms, const Definition& definition, Rollback& rollback) {
  const auto& host = definition.host_config;
  volume::MountArguments arguments;
  arguments.binds = host.binds;
  for (const auto& mount : host.mounts) {
    if (mount.type == "image" || mount.type == "cluster" || mount.type == "npipe") {
      throw Error(ErrorKind::NotImplemented, cat("mounts of type ", quoted(mount.type), " are not supported"));
    }
    arguments.mounts.push_back(request_of(mount));
  }
  arguments.tmpfs = host.tmpfs;
  for (const auto& [path, nothing] : definition.config.volumes) {
    // "src:dst" in Volumes is how old clients name anonymous volumes with a mode: judged as a bind
    if (path.find(':') == std::string::npos) arguments.declared.push_back(path);
  }
  arguments.volume_driver = host.volume_driver;
  for (const auto& spec : host.volumes_from) {
    auto from = volume::parse_volumes_from(spec);
    auto container = rooms.roster->find(from.container);
    if (!container) throw Error(ErrorKind::InvalidArgument, cat("No such container: ", from.container));
    for (auto point : container->definition()->mounts) {
      if (point.type == volume::Type::Tmpfs) continue;
      point.read_write = point.read_write && from.read_write;
      arguments.from.push_back(std::move(point));
    }
  }
  if (arguments.binds.empty() && arguments.mounts.empty() && arguments.tmpfs.empty() && arguments.declared.empty() &&
      arguments.from.empty()) {
    return {};
  }
  trace::Span span("engine.mounts");
  auto points = volume::plan_mount_points(arguments, source_exists);
  for (auto& point : points) {
    if (point.type != volume::Type::Volume) continue;
    volume::CreateVolume create{.name = point.name,
                                .driver = point.driver,
                                .labels = point.labels,
                                .options = point.driver_options,
                                .anonymous = point.name.empty()};
    bool fresh = point.name.empty(), there = !fresh && rooms.volumes->find(point.name).has_value();
    auto record = rooms.volumes->create(create);
    if (!there) rooms.events->emit("volume", "create", record.name, {{"driver", record.driver}});
    point.name = record.name;
    point.driver = record.driver;
    if (fresh) rollback.add([&rooms, name = record.name] { rooms.volumes->remove(name, true); });
    rooms.volumes->hold(record.name, definition.id);
    rollback.add([&rooms, name = record.name, id = definition.id] { rooms.volumes->release(name, id); });
  }
  span.set("count", static_cast<std::int64_t>(points.size()));
  return points;
}

}  // namespace proa::engine
