// One answer to the question what refers to a manifest: as much of the list as fits.
#pragma once

#include <string>

#include "base/json.h"

namespace proa::registry_server {

class ReferrersPage {
 public:
  // `artifact_type`: the only one that is wanted, "": all.
  explicit ReferrersPage(std::string artifact_type) : artifact_type_(std::move(artifact_type)) {}

  // The next of the list, in the order of the digests. False: it is full, that one belongs on the next page.
  bool add(const std::string& digest, Json&& descriptor);
  // The last digest on it where there is more; "" on the last page.
  const std::string& next() const { return next_; }
  // The image index.
  std::string document();

 private:
  std::string artifact_type_, last_, next_;
  JsonArray manifests_;
  std::size_t bytes_ = 0;
};

}  // namespace proa::registry_server
