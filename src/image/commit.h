// New images that nobody built: out of a container's changes (docker commit), out of a tar (docker import).
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "image/images.h"
#include "image/layers.h"
#include "image/make.h"
#include "image/snapshots.h"
#include "store/blobs.h"

namespace proa::image {

struct CommitRequest {
  std::string container_id;
  oci::Digest base;                              // the image below it; empty: none
  oci::Digest manifest;                          // which of its platforms; empty: the unpacked one
  std::function<bool(std::string_view)> wanted;  // which changes ("etc/passwd")
  oci::ImageDefaults config;                     // of the new image
  std::string author, comment, created_by;
  std::optional<oci::Reference> name;
};

struct ImportRequest {
  ByteSource* tar = nullptr;  // compressed or not
  oci::ImageDefaults config;
  oci::Platform platform;
  std::string comment;
  std::optional<oci::Reference> name;
};

class Committer {
 public:
  Committer(Images& images, store::Blobs& blobs, Layers& layers, const Snapshots& snapshots)
      : images_(images), blobs_(blobs), layers_(layers), snapshots_(snapshots) {}

  // Throws NotFound where the base image is not there any more.
  oci::Digest commit(const CommitRequest& request, std::stop_token stop);
  oci::Digest import(const ImportRequest& request, std::stop_token stop);

 private:
  oci::Digest publish(oci::ImageConfig config, const std::vector<MadeLayer>& layers,
                      const std::optional<oci::Reference>& name);
  std::vector<MadeLayer> layers_of(const ImageRecord& image) const;

  Images& images_;
  store::Blobs& blobs_;
  Layers& layers_;
  const Snapshots& snapshots_;
};

}  // namespace proa::image
