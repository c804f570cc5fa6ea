// From the store into a registry: what it lacks, several blobs at a time, then the manifests; byte for byte what was
// pulled or loaded.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/sync.h"
#include "image/images.h"
#include "image/pull.h"
#include "oci/reference.h"
#include "registry/client.h"
#include "store/blobs.h"

namespace proa::image {

struct PushResult {
  std::string tag;
  oci::Digest digest;
  std::uint64_t size = 0;  // of the manifest
};

class Pusher {
 public:
  Pusher(Images& images, store::Blobs& blobs, registry::Options options, int max_concurrent_uploads = 5);

  // For the pushes that begin from now on.
  void reconfigure(registry::Options options, int max_concurrent_uploads);

  struct Options {
    registry::Credentials credentials;
    std::optional<oci::Platform> platform;  // only that platform's manifest, by itself
  };
  // `reference` has a tag, or none: then all tags of that repository. `pushed` is called for each.
  void push(const oci::Reference& reference, const Options& how, const Progress& progress,
            const std::function<void(const PushResult&)>& pushed, std::stop_token stop) const;

 private:
  PushResult push_one(const oci::Reference& reference, const ImageRecord& image, const Options& how,
                      const Progress& progress, std::stop_token stop) const;

  Images& images_;
  store::Blobs& blobs_;
  Sync<registry::Options> options_;
  std::atomic<int> max_concurrent_;
};

}  // namespace proa::image
