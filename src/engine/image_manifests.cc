// What an image consists of, as the API shows it since 1.47.
#include <algorithm>

#include "engine/images.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "image/contents.h"

namespace proa::engine {

namespace {

JsonObject platform_view(const oci::Platform& platform) {
  JsonObject out{{"architecture", platform.architecture}, {"os", platform.os}};
  if (!platform.os_version.empty()) out["os.version"] = platform.os_version;
  if (!platform.variant.empty()) out["variant"] = platform.variant;
  return out;
}

JsonArray containers_of(const Rooms& rooms, const image::ImageRecord& image, const oci::Digest& manifest) {
  JsonArray out;
  for (const auto& container : rooms.roster->all()) {
    auto definition = container->definition();
    const std::string& of = definition->image_manifest;
    if (definition->image_id == image.id.text() && (of.empty() ? image.manifest.text() : of) == manifest.text())
      out.emplace_back(container->id());
  }
  return out;
}

JsonObject identity_of(const image::ImageRecord& record) {
  JsonArray pulled;
  for (const std::string& digest : record.repo_digests) {
    JsonObject origin{{"Repository", oci::Reference::parse(digest).name()}};
    if (std::find(pulled.begin(), pulled.end(), Json(origin)) == pulled.end()) pulled.push_back(std::move(origin));
  }
  JsonObject out;
  if (!pulled.empty()) out["Pull"] = std::move(pulled);
  return out;
}

// The image's own platform is unpacked, others are for their containers; what else lies there may go at any time.
std::uint64_t unpacked_size_of(const Rooms& rooms, const image::ImageRecord& record, const oci::Digest& manifest,
                               bool has_containers) {
  if (manifest == record.manifest) return record.size;
  return has_containers ? image::image_of(*rooms.blobs, *rooms.layers, record, manifest).size : 0;
}

JsonObject entry_view(const Rooms& rooms, const image::ImageRecord& record, const image::ManifestEntry& entry,
                      bool identity) {
  bool attestation = !entry.attests.empty();
  JsonArray containers = containers_of(rooms, record, entry.descriptor.digest);
  bool used = entry.available && !containers.empty();
  std::uint64_t unpacked_size = unpacked_size_of(rooms, record, entry.descriptor.digest, used);
  JsonObject out{{"ID", entry.descriptor.digest.text()},
                 {"Descriptor", oci::to_json(entry.descriptor)},
                 {"Available", entry.available},
                 {"Size", JsonObject{{"Content", entry.size}, {"Total", entry.size + unpacked_size}}},
                 {"Kind", attestation                 ? "attestation"
                          : entry.descriptor.platform ? "image"
                                                      : "unknown"}};
  if (attestation) {
    out["AttestationData"] = JsonObject{{"For", entry.attests.text()}};
  } else if (entry.descriptor.platform) {
    out["ImageData"] = JsonObject{{"Platform", platform_view(*entry.descriptor.platform)},
                                  {"Containers", std::move(containers)},
                                  {"Size", JsonObject{{"Unpacked", unpacked_size}}}};
    if (JsonObject origin = identity ? identity_of(record) : JsonObject{}; entry.available && !origin.empty())
      out["ImageData"].get_object()["Identity"] = std::move(origin);
  }
  return out;
}

}  // namespace

JsonObject Images::identity(std::string_view name) const { return identity_of(rooms_.images->get(name)); }

JsonObject Images::manifests(std::string_view name, bool all, const std::string& platform, bool identity) const {
  auto record = rooms_.images->get(name);
  JsonObject out;
  if (!platform.empty()) {
    auto chosen = image::image_for(*rooms_.blobs, *rooms_.layers, record, oci::Platform::parse(platform));
    oci::Descriptor manifest = image::describe(*rooms_.blobs, chosen.manifest);
    manifest.platform = chosen.config.platform;
    out["Descriptor"] = oci::to_json(manifest);
    return out;
  }
  const oci::Digest& root = rooms_.blobs->has(record.index) ? record.index : record.manifest;
  if (!root.empty() && rooms_.blobs->has(root)) out["Descriptor"] = oci::to_json(image::describe(*rooms_.blobs, root));
  if (!all) return out;
  JsonArray list;
  for (const auto& entry : image::manifests_of(*rooms_.blobs, record))
    list.push_back(entry_view(rooms_, record, entry, identity));
  out["Manifests"] = std::move(list);
  return out;
}

}  // namespace proa::engine
