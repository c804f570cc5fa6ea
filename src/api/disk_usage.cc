#include "api/disk_usage.h"

#include <algorithm>

namespace proa::api {
namespace {

JsonArray images_list(const std::vector<ImageSummary>& images, ApiVersion version) {
  JsonArray out;
  for (const ImageSummary& image : images) {
    Json item = to_json(image);
    shape_image_summary(item, version);
    item.get_object()["Containers"] = image.containers;  // counted here in every version
    out.push_back(std::move(item));
  }
  return out;
}

JsonArray containers_list(const std::vector<ContainerSummary>& containers, ApiVersion version) {
  JsonArray out;
  for (const ContainerSummary& container : containers) {
    Json item = to_json(container);
    shape_container_summary(item, version);
    out.push_back(std::move(item));
  }
  return out;
}

JsonArray volumes_list(const std::vector<VolumeResource>& volumes) {
  JsonArray out;
  for (const VolumeResource& volume : volumes) out.push_back(to_json(volume));
  return out;
}

// `items`: null where they are not shown here.
JsonObject kind_view(const KindUsage& usage, const JsonArray* items) {
  JsonObject out{{"ActiveCount", usage.active},
                 {"TotalCount", usage.total},
                 {"Reclaimable", usage.reclaimable},
                 {"TotalSize", usage.size}};
  if (items) out["Items"] = *items;
  return out;
}

}  // namespace

KindUsage images_usage(const std::vector<ImageSummary>& images, std::int64_t layers_size) {
  KindUsage usage{.total = static_cast<std::int64_t>(images.size()), .size = layers_size};
  std::int64_t used = 0;
  for (const ImageSummary& image : images) {
    if (image.containers <= 0) continue;
    ++usage.active;
    used += image.size - std::max<std::int64_t>(0, image.shared_size);
  }
  usage.reclaimable = usage.active ? std::max<std::int64_t>(0, usage.size - used) : usage.size;
  return usage;
}

KindUsage containers_usage(const std::vector<ContainerSummary>& containers) {
  KindUsage usage{.total = static_cast<std::int64_t>(containers.size())};
  for (const ContainerSummary& container : containers) {
    bool active = container.state == "running" || container.state == "paused" || container.state == "restarting";
    std::int64_t size = container.size_rw.value_or(0);
    usage.active += active;
    usage.size += size;
    if (!active) usage.reclaimable += size;
  }
  return usage;
}

KindUsage volumes_usage(const std::vector<VolumeResource>& volumes) {
  KindUsage usage{.total = static_cast<std::int64_t>(volumes.size())};
  for (const VolumeResource& volume : volumes) {
    if (!volume.usage_data) continue;
    bool active = volume.usage_data->ref_count > 0;
    std::int64_t size = std::max<std::int64_t>(0, volume.usage_data->size);
    usage.active += active;
    usage.size += size;
    if (!active) usage.reclaimable += size;
  }
  return usage;
}

Json disk_usage_reply(const DiskUsage& usage, std::optional<bool> verbose, ApiVersion version) {
  bool sums = version >= ApiVersion{1, 52};
  bool lists = !sums || (version == ApiVersion{1, 52} && !verbose);
  bool items = sums && verbose.value_or(false);
  JsonObject out;
  auto add = [&](std::string_view list_key, std::string_view sum_key, JsonArray list, const KindUsage& kind) {
    if (sums) out[sum_key] = kind_view(kind, items ? &list : nullptr);
    if (lists) out[list_key] = std::move(list);
  };
  if (usage.images) {
    if (lists) out["LayersSize"] = usage.layers_size;
    add("Images", "ImageUsage", images_list(*usage.images, version), images_usage(*usage.images, usage.layers_size));
  }
  if (usage.containers) {
    add("Containers", "ContainerUsage", containers_list(*usage.containers, version),
        containers_usage(*usage.containers));
  }
  if (usage.volumes) add("Volumes", "VolumeUsage", volumes_list(*usage.volumes), volumes_usage(*usage.volumes));
  if (usage.build_cache) add("BuildCache", "BuildCacheUsage", {}, {});
  if (version < ApiVersion{1, 42}) out["BuilderSize"] = 0;
  return out;
}

}  // namespace proa::api
