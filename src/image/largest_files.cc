#include "image/largest_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "os/file_walk.h"

namespace proa::image {

LayerFiles largest_files(const Lower& layer, std::size_t how_many) {
  LayerFiles out;
  std::set<ino_t> linked;
  auto larger = [](const LargeFile& a, const LargeFile& b) {
    return a.size != b.size ? a.size > b.size : a.path < b.path;
  };
  os::walk_files(layer.path, [&](const std::string& path, const struct stat& info) {
    if (!S_ISREG(info.st_mode) || (info.st_nlink > 1 && !linked.insert(info.st_ino).second)) return;
    ++out.count;
    LargeFile file{cat("/", path), static_cast<std::uint64_t>(info.st_size)};
    out.largest.insert(std::upper_bound(out.largest.begin(), out.largest.end(), file, larger), std::move(file));
    if (out.largest.size() > how_many) out.largest.pop_back();
  });
  return out;
}

}  // namespace proa::image
