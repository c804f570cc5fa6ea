// Images::check reads every blob and compares it with its digest, and looks for every blob and layer that an image
// needs and for what nobody does. Repair: damaged blobs and unowned content go, a missing layer is unpacked again where
// its blob is whole. A layer file is read and hashed too; an unpacked layer is compared with what its blob becomes when
// it is unpacked once more.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace proa::image {

// One thing that the store and the catalogue do not agree on.
struct Finding {
  enum class Kind { Missing, Damaged, Unowned } kind;
  std::string object;                  // "blob sha256:...", "layer sha256:..."
  std::vector<std::string> needed_by;  // images
  bool repaired = false;
};
struct CheckReport {
  std::uint64_t images = 0, blobs = 0, blob_bytes = 0, layers = 0;
  std::vector<Finding> findings;
};
enum class Repair { No, Yes };

}  // namespace proa::image
