// Which files made a layer large.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "image/layers.h"

namespace proa::image {

struct LargeFile {
  std::string path;  // "/usr/bin/x"; of a file with several names, one of them
  std::uint64_t size = 0;
};
struct LayerFiles {
  std::size_t count = 0;           // regular files, hard links once
  std::vector<LargeFile> largest;  // largest first
};

// Looks at every file of the layer.
LayerFiles largest_files(const Lower& layer, std::size_t how_many);

}  // namespace proa::image
