// docker save: images as one tar that is both an OCI image layout and docker's (engine-api.md 5.5); the same images
// give the same bytes.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/stream.h"
#include "image/contents.h"
#include "image/images.h"
#include "store/blobs.h"

namespace proa::image {

// `names`: tags, repositories (all their tags), IDs, digests. Everything is looked up before the first byte is written.
class Saving {
 public:
  // With platforms: of each image their part only.
  Saving(Images& images, const store::Blobs& blobs, const std::vector<std::string>& names,
         std::vector<oci::Platform> platforms = {});
  // Throws DataLoss where a blob is damaged: what was written is of no use then.
  void write(ByteSink& to, std::stop_token stop) const;
  // "busybox:latest", or the ID of what was named by it.
  const std::vector<std::string>& saved() const { return saved_; }

 private:
  struct Item {
    ImageRecord image;
    std::vector<std::string> tags;  // sorted
  };
  void add(const ImageRecord& image, const std::string& tag);
  Contents contents(const Item& item) const;
  std::string manifest_json() const;
  std::string index_json() const;

  const store::Blobs& blobs_;
  std::vector<oci::Platform> platforms_;
  std::vector<Item> items_;  // by ID
  std::vector<std::string> saved_;
  Images::Hold hold_;
};

}  // namespace proa::image
