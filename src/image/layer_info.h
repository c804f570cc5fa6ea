// What is known of a layer on disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "oci/digest.h"

namespace proa::image {

// Directory: unpacked, D/layers/<diff id hex>/{fs/,info.json}. Erofs: D/layers/<diff id hex>.erofs (layer_file.h).
enum class LayerForm { Directory, Erofs };

// Beside the layers: the directory that an image without any stands on.
inline constexpr std::string_view kEmptyLayer = "empty";

struct LayerInfo {
  oci::Digest diff_id;
  std::uint64_t size = 0;  // of the uncompressed tar
  std::uint64_t disk = 0;  // in use on disk
  LayerForm form = LayerForm::Directory;
};

inline JsonObject to_json(const LayerInfo& info) {
  return {{"diff_id", info.diff_id.text()}, {"size", info.size}, {"disk", info.disk}};
}
inline LayerInfo layer_info_from_json(const Json& value, LayerForm form) {
  return {oci::Digest::parse(json::string_at(value, "diff_id")),
          static_cast<std::uint64_t>(json::int_at(value, "size")),
          static_cast<std::uint64_t>(json::int_at(value, "disk")), form};
}

}  // namespace proa::image
