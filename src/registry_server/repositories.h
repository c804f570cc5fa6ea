// What each repository has: blobs, manifests, tags, referrers. Content is shared by all, membership is not.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "oci/image_spec.h"
#include "store/blobs.h"
#include "store/database.h"

namespace proa::registry_server {

// "library/busybox": the specification's grammar, at most 255 bytes.
bool is_repository_name(std::string_view name);

struct StoredManifest {
  oci::Digest digest;
  std::string media_type;
};

class Repositories {
 public:
  Repositories(store::Blobs& blobs, store::Database& database) : blobs_(blobs), database_(database) {}

  bool has_blob(const std::string& repository, const oci::Digest& digest) const;
  void link_blob(const std::string& repository, const oci::Digest& digest);
  bool unlink_blob(const std::string& repository, const oci::Digest& digest);

  // By tag or digest.
  std::optional<StoredManifest> find(const std::string& repository, const std::string& reference) const;
  struct Put {
    oci::Digest digest;
    oci::Digest subject;  // "" where the manifest has none
  };
  // Throws Refusal for what is no manifest or refers to what the repository has not.
  Put put(const std::string& repository, const std::string& reference, const std::string& claimed_type,
          const std::string& bytes);
  bool remove(const std::string& repository, const std::string& reference);

  // In order, after `last`.
  std::vector<std::string> tags(const std::string& repository, const std::string& last) const;
  std::vector<std::string> catalogue(const std::string& last) const;
  bool exists(const std::string& repository) const;
  JsonArray referrers(const std::string& repository, const oci::Digest& subject, const std::string& type) const;

  // Deletes content that no repository's manifest refers to. Blobs younger than `grace` stay: their manifest may come.
  // Returns the bytes.
  std::uint64_t collect(std::chrono::seconds grace);

 private:
  void check_references(const std::string& repository, const std::string& type, const std::string& bytes) const;

  store::Blobs& blobs_;
  store::Database& database_;
  mutable std::mutex changing_;  // between a manifest that comes and content that goes
};

}  // namespace proa::registry_server
