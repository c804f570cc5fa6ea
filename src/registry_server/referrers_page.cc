#include "registry_server/referrers_page.h"

#include "oci/image_spec.h"

namespace proa::registry_server {

namespace {
// Clients take 4 MiB, as of any manifest. One descriptor alone may be that large: its annotations are its manifest's.
constexpr std::size_t kMostBytes = 1 << 20, kMostEntries = 1000;
}  // namespace

bool ReferrersPage::add(const std::string& digest, Json&& descriptor) {
  if (!artifact_type_.empty() && json::string_at(descriptor, "artifactType") != artifact_type_) return true;
  std::size_t size = json::text(descriptor).size();
  if (!manifests_.empty() && (bytes_ + size > kMostBytes || manifests_.size() == kMostEntries)) {
    next_ = last_;
    return false;
  }
  bytes_ += size;
  last_ = digest;
  manifests_.push_back(std::move(descriptor));
  return true;
}

std::string ReferrersPage::document() {
  return json::text(
      JsonObject{{"schemaVersion", 2}, {"mediaType", oci::media_type::kIndex}, {"manifests", std::move(manifests_)}});
}

}  // namespace proa::registry_server
