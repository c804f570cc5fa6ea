// What an image is made of, as far as the store has it: for push and save, and for keeping it.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "image/images.h"
#include "oci/image_spec.h"
#include "store/blobs.h"

namespace proa::image {

struct Contents {
  oci::Descriptor root;                    // an index or a manifest
  std::vector<oci::Descriptor> manifests;  // also indexes; each after what it refers to, so the root is the last
  std::vector<oci::Descriptor> blobs;      // configurations and layers, each once; foreign layers are left out
};

// Of the index that the image came from where all of that is in the store, else of its manifest alone. Throws NotFound
// where something of that is missing.
Contents contents_of(const store::Blobs& blobs, const ImageRecord& image);
// Of the one manifest for `platform`. Throws NotFound, docker's words, where it is not here whole.
Contents contents_for(const store::Blobs& blobs, const ImageRecord& image, const oci::Platform& platform);
// The image as it is for `platform`: with that manifest, its configuration as the ID and its layers (those that are not
// unpacked have the size of their blobs). Throws as contents_for() does.
ImageRecord image_for(const store::Blobs& blobs, const Layers& layers, const ImageRecord& image,
                      const oci::Platform& platform);
// The same of the manifest `chosen`, an image's that is here whole.
ImageRecord image_of(const store::Blobs& blobs, const Layers& layers, const ImageRecord& image,
                     const oci::Digest& chosen);
// What belongs to the image's index, as far as it is here whole: indexes, manifests of all platforms, attestations and
// what is below them; without these manifests and what attests them.
std::vector<oci::Digest> belongings(const store::Blobs& blobs, const oci::Digest& index,
                                    const std::set<oci::Digest>& without = {});
// Of the manifests for these platforms (at least one), the image's own first; where they are several, under the index
// that names them. Throws as above.
Contents contents_for(const store::Blobs& blobs, const ImageRecord& image, std::span<const oci::Platform> platforms);
// Of what is here whole below an index, with the indexes themselves; with `wanted`, of those manifests only.
Contents contents_here(const store::Blobs& blobs, const oci::Digest& index,
                       const std::function<bool(const oci::Descriptor&)>& wanted = {});
std::vector<oci::Digest> digests_of(const Contents& contents);

// A manifest of an image, of its index also those that are not here.
struct ManifestEntry {
  oci::Descriptor descriptor;
  bool available = false;  // with everything below it
  std::uint64_t size = 0;  // of it and what is below it, as far as it is here
  oci::Digest attests;     // of an attestation: which manifest
};
std::vector<ManifestEntry> manifests_of(const store::Blobs& blobs, const ImageRecord& image);

// Below a manifest or index in the store; nullopt where something is missing.
std::optional<Contents> contents_below(const store::Blobs& blobs, const oci::Digest& root);

// A descriptor of a manifest or index in the store. Throws NotFound.
oci::Descriptor describe(const store::Blobs& blobs, const oci::Digest& document);

}  // namespace proa::image
