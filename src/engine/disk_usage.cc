// GET /system/df: what du(1) says of the data root, by what it belongs to. Elsewhere sizes are what docker calls so.
#include <map>
#include <set>

#include "engine/containers.h"
#include "engine/images.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "engine/system.h"
#include "engine/volumes.h"
#include "image/images.h"
#include "image/layers.h"
#include "os/file.h"
#include "os/file_walk.h"
#include "store/blobs.h"
#include "volume/volumes.h"

namespace proa::engine {

namespace {

struct OnDisk {
  std::uint64_t size = 0;
  int owners = 0;
};
using Objects = std::map<oci::Digest, OnDisk>;

void add_owner(Objects& objects, const std::set<oci::Digest>& digests) {
  for (const auto& digest : digests) ++objects[digest].owners;
}

void add_sizes(const Objects& objects, const std::set<oci::Digest>& digests, api::ImageSummary& row) {
  for (const auto& digest : digests) {
    const OnDisk& object = objects.at(digest);
    row.size += static_cast<std::int64_t>(object.size);
    if (object.owners > 1) row.shared_size += static_cast<std::int64_t>(object.size);
  }
}

// The total is that of the rows with what is shared counted once, and of what no image has: of pulls under way.
void add_images(Rooms& rooms, api::DiskUsage& out) {
  Objects blobs, layers;
  std::uint64_t total = rooms.blobs->disk_blocks();
  for (const auto& layer : rooms.layers->list()) {
    layers[layer.diff_id].size = layer.disk;
    total += layer.disk;
  }
  struct Parts {
    std::set<oci::Digest> blobs, layers;
  };
  std::map<std::string, Parts> images;
  for (const auto& record : rooms.images->list()) {
    Parts parts{image::blobs_of(record), {record.diff_ids.begin(), record.diff_ids.end()}};
    add_owner(blobs, parts.blobs);
    add_owner(layers, parts.layers);
    images.emplace(record.id.text(), std::move(parts));
  }
  for (auto& [digest, blob] : blobs) blob.size = rooms.blobs->disk_blocks(digest);
  out.layers_size = static_cast<std::int64_t>(total);
  out.images = Images(rooms).list({.all = true}, {});
  for (api::ImageSummary& row : *out.images) {
    row.size = row.shared_size = 0;
    auto parts = images.find(row.id);
    if (parts == images.end()) continue;  // came meanwhile
    add_sizes(blobs, parts->second.blobs, row);
    add_sizes(layers, parts->second.layers, row);
  }
}

// With their logs and the files that were made for them.
void add_containers(const Rooms& rooms, api::DiskUsage& out) {
  out.containers = rooms.containers->list({.all = true, .limit = 0, .size = true}, {});
  for (api::ContainerSummary& row : *out.containers)
    row.size_rw = static_cast<std::int64_t>(os::disk_blocks(os::path_join(rooms.containers_dir, row.id)));
}

void add_volumes(Rooms& rooms, api::DiskUsage& out) {
  out.volumes.emplace();
  for (auto volume : Volumes(rooms).list({})) {
    volume.usage_data = api::VolumeUsage{static_cast<std::int64_t>(rooms.volumes->disk_blocks(volume.name)),
                                         static_cast<std::int64_t>(rooms.volumes->users(volume.name).size())};
    out.volumes->push_back(std::move(volume));
  }
}

}  // namespace

api::DiskUsage System::disk_usage(UsageOf wanted) const {
  api::DiskUsage out;
  if (wanted.images) add_images(rooms_, out);
  if (wanted.containers) add_containers(rooms_, out);
  if (wanted.volumes) add_volumes(rooms_, out);
  return out;
}

}  // namespace proa::engine
