// How an image is made up: its layers, who else has them, and which files made them large.
#include <map>
#include <set>

#include "base/text.h"
#include "engine/images.h"
#include "engine/rooms.h"
#include "image/contents.h"
#include "image/images.h"
#include "image/largest_files.h"

namespace proa::engine {

namespace {

std::string name_of(const image::ImageRecord& record) {
  return record.references.empty() ? std::string(record.id.short_hex()) : record.references.front();
}

// Names of the other images that have a layer.
std::map<oci::Digest, JsonArray> sharers(const std::vector<image::ImageRecord>& records, const oci::Digest& except) {
  std::map<oci::Digest, JsonArray> out;
  for (const auto& record : records) {
    if (record.id == except) continue;
    for (const auto& diff_id : std::set(record.diff_ids.begin(), record.diff_ids.end()))
      out[diff_id].emplace_back(name_of(record));
  }
  return out;
}

// The commands that made the layers, bottom first.
std::vector<std::string> commands_of(const oci::ImageConfig& config) {
  std::vector<std::string> out;
  for (const auto& entry : config.history)
    if (!entry.empty_layer) out.push_back(entry.created_by);
  return out;
}

JsonObject files_view(const image::LayerFiles& files) {
  JsonArray largest;
  for (const auto& file : files.largest) largest.push_back(JsonObject{{"Path", file.path}, {"Size", file.size}});
  return {{"Count", files.count}, {"Largest", std::move(largest)}};
}

JsonArray artifact_layers(const store::Blobs& blobs, const image::ImageRecord& record) {
  JsonArray out;
  for (const auto& layer : oci::parse_manifest(blobs.read(record.manifest, oci::kMaxManifest), "").layers)
    out.push_back(JsonObject{{"Digest", layer.digest.text()}, {"MediaType", layer.media_type}, {"Size", layer.size}});
  return out;
}

}  // namespace

JsonObject Images::tree(std::string_view name, std::size_t files) const {
  auto record = rooms_.images->get(name);
  JsonArray names, layers;
  for (const std::string& one : record.references) names.emplace_back(one);
  std::uint64_t shared = 0;
  if (record.artifact_type.empty()) {
    auto others = sharers(rooms_.images->list(), record.id);
    auto commands = commands_of(record.config);
    for (std::size_t i = 0; i < record.layers.size(); ++i) {
      const auto& layer = record.layers[i];
      JsonArray shared_with = others[layer.diff_id];
      if (!shared_with.empty()) shared += layer.size;
      JsonObject view{{"DiffID", layer.diff_id.text()},
                      {"Size", layer.size},
                      {"SharedWith", std::move(shared_with)},
                      {"CreatedBy", i < commands.size() ? commands[i] : ""},
                      {"Files", files_view(image::largest_files(rooms_.layers->lower(layer.diff_id), files))}};
      if (auto size = rooms_.blobs->size(layer.digest)) {
        view["Digest"] = layer.digest.text();
        view["Compressed"] = *size;
      }
      layers.push_back(std::move(view));
    }
  } else {
    layers = artifact_layers(*rooms_.blobs, record);
  }
  return {{"Id", record.id.text()},
          {"RepoTags", std::move(names)},
          {"Platform", record.config.platform.empty() ? "" : record.config.platform.text()},
          {"ArtifactType", record.artifact_type},
          {"Size", record.size},
          {"SharedSize", shared},
          {"Layers", std::move(layers)}};
}

}  // namespace proa::engine
