// A new image out of its parts: the manifest that it gets, and its record.
#pragma once

#include <string>
#include <vector>

#include "image/images.h"
#include "image/layers.h"
#include "oci/image_spec.h"
#include "store/blobs.h"

namespace proa::image {

struct MadeLayer {
  oci::Digest digest;  // of the blob
  std::uint64_t size = 0;
  std::string media_type;  // OCI's
  LayerInfo info;
};

struct NewImage {
  oci::Digest config, manifest, index;
  std::vector<ImageLayer> layers;  // bottom first
  std::vector<oci::Digest> others;
};

// Stores the configuration and a manifest over these layers: Docker's schema 2, as docker push would write it, or an
// OCI manifest where a layer is compressed in a way that schema 2 does not know. Runs in a scope of Images::Growing.
NewImage make_image(store::Blobs& blobs, const std::string& config_bytes, const std::vector<MadeLayer>& layers);

ImageRecord record_of(const NewImage& image, oci::ImageConfig config);

}  // namespace proa::image
