// The tables of a registry's database, and how their keys are made.
#pragma once

#include <string>
#include <string_view>

#include "base/text.h"
#include "oci/digest.h"

namespace proa::registry_server {

inline constexpr std::string_view kLinks = "links";          // repository@digest of a blob
inline constexpr std::string_view kManifests = "manifests";  // repository@digest
inline constexpr std::string_view kTags = "tags";            // repository:tag
inline constexpr std::string_view kReferrers = "referrers";  // repository@subject@referrer

inline std::string at_digest(const std::string& repository, const oci::Digest& digest) {
  return cat(repository, "@", digest.text());
}
inline std::string repository_of(const std::string& key) { return key.substr(0, key.find_first_of("@:")); }
inline oci::Digest digest_of_key(const std::string& key) { return oci::Digest::parse(key.substr(key.find('@') + 1)); }

}  // namespace proa::registry_server
