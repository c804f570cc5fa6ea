// An image as the catalogue has it, and what its record tells.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "oci/image_spec.h"

namespace proa::image {

struct ImageLayer {
  oci::Digest digest;  // of the compressed blob, empty where it was never one
  oci::Digest diff_id;
  std::uint64_t size = 0;  // of the uncompressed tar
};

struct ImageRecord {
  oci::Digest id;                         // digest of the configuration: docker's image ID; of an artifact's manifest
  oci::Digest manifest;                   // of the platform's manifest, empty where there is none
  oci::Digest index;                      // of the index it came from, empty where there was none
  std::vector<std::string> references;    // "busybox:latest", sorted
  std::vector<std::string> repo_digests;  // "busybox@sha256:...", sorted
  oci::ImageConfig config;
  std::vector<ImageLayer> layers;   // bottom first
  std::vector<oci::Digest> others;  // blobs that belong to it besides: of other platforms, attestations
  std::string artifact_type;        // not empty: no image but an artifact, which is kept and never run
  std::vector<oci::Digest> diff_ids;
  UnixNanos created = kZeroTime;
  UnixNanos last_tagged = kZeroTime;
  std::uint64_t size = 0;  // uncompressed, all layers; of an artifact, its blobs
};

struct HistoryItem {
  std::string id;  // "sha256:..." for the newest, else "<missing>"
  UnixNanos created = kZeroTime;
  std::string created_by, comment;
  std::vector<std::string> tags;
  std::uint64_t size = 0;
};

// Every blob that the image needs in the store.
std::set<oci::Digest> blobs_of(const ImageRecord& image);
// What made the image, newest first.
std::vector<HistoryItem> history_of(const ImageRecord& image);

// Docker's chain ID of the topmost of `diff_ids`.
oci::Digest chain_id(const std::vector<oci::Digest>& diff_ids);

}  // namespace proa::image
