// From a registry into the store: resolve, manifest, configuration, layers; each layer one pipeline (download, hash,
// inflate, hash, untar) in which nothing is read twice.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "image/images.h"
#include "image/layers.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "registry/client.h"
#include "store/blobs.h"

namespace proa::image {

// One line of docker's progress (engine-api.md 5.3). Members that are empty are not sent.
struct ProgressMessage {
  std::string status;  // "Downloading"
  std::string id;      // first 12 digits of the layer, or the tag
  std::int64_t current = 0, total = 0;
  bool in_place = false;  // about the layer `id`: a terminal shows it on that layer's line
};
using Progress = std::function<void(const ProgressMessage&)>;  // called from one thread at a time

struct PullOptions {
  oci::Platform platform;  // empty: this machine's
  registry::Credentials credentials;
  bool all_tags = false;  // this one is one of them: its status names the repository
};

struct PullResult {
  oci::Digest id;           // the image
  oci::Digest digest;       // what the reference stood for: an index or a manifest
  bool downloaded = false;  // false: it was up to date
};

class Puller {
 public:
  Puller(Images& images, store::Blobs& blobs, Layers& layers, registry::Options options,
         int max_concurrent_downloads = 3);
  ~Puller();
  // For the pulls that begin from now on.
  void reconfigure(registry::Options options, int max_concurrent_downloads);

  // `reference` without tag and digest means :latest. Throws; then the catalogue is as it was, and what was received
  // and is sound is kept for the next attempt.
  PullResult pull(const oci::Reference& reference, const PullOptions& options, const Progress& progress,
                  std::stop_token stop);
  // Every tag of the repository (docker pull -a).
  void pull_all(const oci::Reference& repository, const PullOptions& options, const Progress& progress,
                std::stop_token stop);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace proa::image
