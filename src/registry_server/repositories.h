// What each repository has: blobs, manifests, tags, referrers. Content is shared by all, membership is not.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
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

// Everything a manifest or an index refers to. Throws InvalidArgument.
std::vector<oci::Digest> references_of(const std::string& type, const std::string& bytes);

struct StoredManifest {
  oci::Digest digest;
  std::string media_type;
};

class Repositories {
 public:
  // `grace`: that of the collections; promises are renewed well within it.
  Repositories(store::Blobs& blobs, store::Database& database, std::chrono::seconds grace)
      : blobs_(blobs), database_(database), renewed_after_(std::min<std::int64_t>(grace.count() / 2, kRenewSeconds)) {}

  bool has_blob(const std::string& repository, const oci::Digest& digest) const;
  // The same for who will refer to it: it is not collected until the grace is over.
  bool promise_blob(const std::string& repository, const oci::Digest& digest);
  void link_blob(const std::string& repository, const oci::Digest& digest);
  bool unlink_blob(const std::string& repository, const oci::Digest& digest);

  // By tag or digest.
  std::optional<StoredManifest> find(const std::string& repository, const std::string& reference) const;
  struct Put {
    oci::Digest digest;
    oci::Digest subject;  // "" where the manifest has none
  };
  enum class References { Here, Elsewhere };  // where what a manifest refers to must be; a cache's is upstream
  // Throws Refusal for what is no manifest or refers to what the repository has not.
  Put put(const std::string& repository, const std::string& reference, const std::string& claimed_type,
          const std::string& bytes, References references = References::Here);
  // Notes that somebody wants a cached manifest.
  void touch(const std::string& repository, const oci::Digest& digest);
  bool remove(const std::string& repository, const std::string& reference);

  // In order, after `last`.
  std::vector<std::string> tags(const std::string& repository, const std::string& last) const;
  std::vector<std::string> catalogue(const std::string& last) const;
  bool exists(const std::string& repository) const;
  // Shows the descriptors of what refers to `subject`, in the order of their digests and from behind `last` on, until
  // `visit` says false.
  using VisitReferrer = std::function<bool(const std::string& digest, Json&& descriptor)>;
  void referrers(const std::string& repository, const oci::Digest& subject, const std::string& last,
                 const VisitReferrer& visit) const;
  // The first repository that has the blob and that `may` agrees to; "" where there is none.
  std::string holder_of(const oci::Digest& digest, const std::function<bool(const std::string& repository)>& may) const;

  struct Collection {
    std::chrono::seconds grace{0};         // what is younger stays: its manifest, or its tag, may come
    bool untagged = false;                 // manifests go that no tag, index or referrer leads to
    std::chrono::seconds unused_after{0};  // of a cache: manifests go that nobody asked for; 0: never
  };
  // Deletes content that no repository's manifest refers to, while others go on. Returns the bytes.
  std::uint64_t collect(const Collection& how);

 private:
  void check_references(const std::string& repository, const std::string& type, const std::string& bytes) const;
  void arrived(const oci::Digest& digest);
  void drop_manifests(const Collection& how);
  std::set<oci::Digest> referred() const;
  void drop_links(const std::vector<std::pair<std::string, Json>>& links, const std::set<oci::Digest>& gone);
  bool drop_blob(const oci::Digest& digest, std::int64_t youngest, std::uint64_t& bytes);

  store::Blobs& blobs_;
  store::Database& database_;
  static constexpr std::int64_t kRenewSeconds = 600;  // how old a note of use may be
  std::int64_t renewed_after_;
  mutable std::mutex changing_;                   // between what comes and what goes; held for moments
  std::mutex collecting_;                         // one collection at a time
  std::optional<std::set<oci::Digest>> arrived_;  // during one: what has become wanted since it began
};

}  // namespace proa::registry_server
