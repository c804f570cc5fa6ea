// What an image archive holds, once all of it was read: its layers and blobs are in the store, its documents here.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "base/stream.h"
#include "image/layer_intake.h"
#include "image/pull_progress.h"
#include "oci/image_spec.h"

namespace proa::image {

struct ArchiveContents {
  std::map<std::string, std::string> documents;  // small files outside blobs/, by path
  std::map<std::string, TakenLayer> layers;      // by path; also under blobs/
  std::map<std::string, std::string> links;      // symbolic and hard, both ends cleaned

  // Links are followed. nullptr where there is none.
  const std::string* document(const std::string& path) const;
  const TakenLayer* layer(const std::string& path) const;
};

// Throws InvalidArgument for what is no tar, DataLoss for a blob whose name is not its digest.
ArchiveContents read_archive(ByteSource& archive, Layers& layers, store::Blobs& blobs, PullProgress& progress,
                             std::stop_token stop);

}  // namespace proa::image
