// docker load: images out of a tar: an OCI image layout, docker's own form of 1.10 to 24, or one that is both;
// compressed in any way. Read once, in whatever order its entries are; layers are unpacked while they come.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/stream.h"
#include "image/images.h"
#include "image/layers.h"
#include "image/pull.h"
#include "oci/platform.h"
#include "store/blobs.h"

namespace proa::image {

struct LoadedImage {
  oci::Digest id;
  std::vector<std::string> names;  // familiar; none: it has only its ID
};

class Loader {
 public:
  Loader(Images& images, store::Blobs& blobs, Layers& layers) : images_(images), blobs_(blobs), layers_(layers) {}

  // `platforms`: which images of an index to keep; none: all. This machine's, or else the first of them, is unpacked.
  // Throws InvalidArgument for an archive that is none or contradicts itself, NotFound where an index has not such a
  // platform; images before the bad one stay.
  std::vector<LoadedImage> load(ByteSource& archive, const std::vector<oci::Platform>& platforms,
                                const Progress& progress, std::stop_token stop);

 private:
  Images& images_;
  store::Blobs& blobs_;
  Layers& layers_;
};

}  // namespace proa::image
