// What this host's images have for a registry's clients: names, manifests and blobs, to read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "oci/digest.h"
#include "oci/image_spec.h"
#include "os/fd.h"

namespace proa::engine {

struct Rooms;

class ImageOffer {
 public:
  explicit ImageOffer(const Rooms& rooms) : rooms_(rooms) {}

  // By tag, or by the digest of a manifest of some image. `repository`: "library/busybox", "team/app"; of the registry
  // `domain` ("" for docker.io, or for whichever has it).
  std::optional<oci::Descriptor> manifest(const std::string& domain, const std::string& repository,
                                          const std::string& reference) const;
  // Throws NotFound.
  std::string read(const oci::Descriptor& manifest) const;
  // nullopt for what belongs to no image.
  std::optional<os::Fd> open(const oci::Digest& blob) const;
  std::uint64_t size(const oci::Digest& blob) const;
  std::vector<std::string> tags(const std::string& domain, const std::string& repository) const;  // sorted
  std::vector<std::string> repositories() const;                                                  // sorted

 private:
  bool belongs(const oci::Digest& digest) const;
  const Rooms& rooms_;
};

}  // namespace proa::engine
