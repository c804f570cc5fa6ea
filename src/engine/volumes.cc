#include "engine/volumes.h"

#include "base/text.h"
#include "engine/events.h"
#include "engine/housekeeping.h"
#include "engine/rooms.h"
#include "volume/volumes.h"

namespace proa::engine {
namespace {

api::VolumeResource view(const Rooms& rooms, const volume::VolumeRecord& record) {
  api::VolumeResource out;
  out.created_at = format_rfc3339(record.created_at);
  out.driver = record.driver;
  out.labels = record.labels;
  out.mountpoint = rooms.volumes->mountpoint(record.name);
  out.name = record.name;
  out.options = record.options;
  return out;
}

}  // namespace

std::vector<api::VolumeResource> Volumes::list(const api::Filters& filters) const {
  filters.check({"dangling", "driver", "label", "label!", "name"});
  std::vector<api::VolumeResource> out;
  for (const auto& record : rooms_.volumes->list()) {
    if (!filters.matches_exactly("driver", record.driver) || !filters.matches_labels(record.labels)) continue;
    if (!filters.any("name", [&](const std::string& v) { return record.name.find(v) != std::string::npos; })) continue;
    if (filters.has("dangling") && filters.boolean("dangling", false) != rooms_.volumes->users(record.name).empty())
      continue;
    out.push_back(view(rooms_, record));
  }
  return out;
}

api::VolumeResource Volumes::inspect(std::string_view name) const { return view(rooms_, rooms_.volumes->get(name)); }

api::VolumeResource Volumes::create(const api::VolumeCreateRequest& request) {
  bool there = !request.name.empty() && rooms_.volumes->find(request.name).has_value();
  volume::CreateVolume create{
      .name = request.name, .driver = request.driver, .labels = request.labels, .options = request.driver_opts};
  auto record = rooms_.volumes->create(create);
  if (!there) rooms_.events->emit("volume", "create", record.name, {{"driver", record.driver}});
  return view(rooms_, record);
}

void Volumes::remove(std::string_view name, bool force) {
  rooms_.volumes->remove(name, force);
  empty_trash_soon(rooms_);
  rooms_.events->emit("volume", "destroy", name, {{"driver", "local"}});
}

api::VolumesPruneReport Volumes::prune(const api::Filters& filters) {
  filters.check({"label", "label!", "all"});
  bool all = filters.has("all") && filters.boolean("all", false);
  api::VolumesPruneReport report;
  for (const auto& record : rooms_.volumes->list()) {
    if (!all && !record.anonymous) continue;
    if (!filters.matches_labels(record.labels) || !rooms_.volumes->users(record.name).empty()) continue;
    auto size = rooms_.volumes->disk_usage(record.name);
    try {
      rooms_.volumes->remove(record.name, false);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::Conflict) continue;  // taken meanwhile
      throw;
    }
    report.volumes_deleted.push_back(record.name);
    report.space_reclaimed += size;
    rooms_.events->emit("volume", "destroy", record.name, {{"driver", "local"}});
  }
  empty_trash_soon(rooms_);
  rooms_.events->emit("volume", "prune", "", {{"reclaimed", std::to_string(report.space_reclaimed)}});
  return report;
}

}  // namespace proa::engine
