// Deleting what nothing refers to. What is wanted is found out without stopping anybody; each deletion is one moment in
// which nothing new can come to refer to what goes.
#include <sys/stat.h>

#include <ctime>

#include "base/error.h"
#include "base/failpoint.h"
#include "base/rollback.h"
#include "base/text.h"
#include "registry_server/repositories.h"
#include "registry_server/tables.h"

namespace proa::registry_server {

// What manifests refer to, and they themselves.
std::set<oci::Digest> Repositories::referred() const {
  std::set<oci::Digest> out;
  for (const auto& [key, row] : database_.list(kManifests)) {
    oci::Digest digest = digest_of_key(key);
    if (!out.insert(digest).second || !blobs_.has(digest)) continue;
    std::string bytes = blobs_.read(digest, oci::kMaxManifest);
    for (const oci::Digest& one : references_of(json::string_at(row, "type"), bytes)) out.insert(one);
  }
  return out;
}

// Manifests that no tag leads to, over indexes and subjects, and those of a cache that nobody has asked for.
void Repositories::drop_manifests(const Collection& how) {
  std::int64_t time = ::time(nullptr), youngest = time - how.grace.count();
  std::int64_t unused_since = how.unused_after.count() > 0 ? time - how.unused_after.count() : 0;
  std::set<std::string> reached;  // keys of kManifests
  auto reach = [&](auto& self, const std::string& repository, const oci::Digest& digest) -> void {
    std::string key = at_digest(repository, digest);
    auto row = database_.get(kManifests, key);
    if (!row || !reached.insert(key).second || !blobs_.has(digest)) return;
    std::string type = json::string_at(*row, "type");
    if (oci::media_type::is_index(type))
      for (const oci::Digest& one : references_of(type, blobs_.read(digest, oci::kMaxManifest)))
        self(self, repository, one);
    for (const auto& [referrer, entry] : database_.list(kReferrers, cat(key, "@")))
      self(self, repository, oci::Digest::parse(json::string_at(entry, "digest")));
  };
  if (how.untagged) {
    for (const auto& [key, row] : database_.list(kTags))
      reach(reach, repository_of(key), oci::Digest::parse(json::string_at(row, "digest")));
  }
  for (const auto& [key, row] : database_.list(kManifests)) {
    std::int64_t since = json::int_at(row, "since");
    bool lost = how.untagged && since <= youngest && !reached.contains(key);
    if (lost || since < unused_since) remove(repository_of(key), digest_of_key(key).text());
  }
}

// False: somebody wants it after all.
bool Repositories::drop_blob(const oci::Digest& digest, std::int64_t youngest, std::uint64_t& bytes) {
  std::lock_guard guard(changing_);
  struct stat info {};
  bool gone = ::stat(blobs_.path(digest).c_str(), &info) != 0;
  if (arrived_->contains(digest) || gone || info.st_ctime > youngest) return false;
  FAILPOINT("registry.collect.before_remove");
  blobs_.remove(digest);
  bytes += static_cast<std::uint64_t>(info.st_size);
  return true;
}

std::uint64_t Repositories::collect(const Collection& how) {
  if (!database_.set_aside().empty())
    throw Error(ErrorKind::Conflict, cat("records were lost with ", database_.set_aside(),
                                         ": nothing is deleted before the registry is started again"));
  std::lock_guard one(collecting_);
  {
    std::lock_guard guard(changing_);
    arrived_.emplace();
  }
  Rollback ending;
  ending.add([&] {
    std::lock_guard guard(changing_);
    arrived_.reset();
  });
  if (how.untagged || how.unused_after.count() > 0) drop_manifests(how);
  std::set<oci::Digest> kept = referred();
  std::int64_t youngest = ::time(nullptr) - how.grace.count();
  auto links = database_.list(kLinks);
  for (const auto& [key, row] : links)  // of uploads whose manifest may still come
    if (json::int_at(row, "since") > youngest) kept.insert(digest_of_key(key));
  std::set<oci::Digest> gone;
  std::uint64_t bytes = 0;
  for (const oci::Digest& digest : blobs_.list())
    if (!kept.contains(digest) && drop_blob(digest, youngest, bytes)) gone.insert(digest);
  drop_links(links, gone);
  return bytes;
}

// A link to what is gone means nothing: has_blob asks for both.
void Repositories::drop_links(const std::vector<std::pair<std::string, Json>>& links,
                              const std::set<oci::Digest>& gone) {
  std::lock_guard guard(changing_);
  database_.transaction([&] {
    for (const auto& [key, row] : links)
      if (gone.contains(digest_of_key(key)) && !arrived_->contains(digest_of_key(key))) database_.erase(kLinks, key);
  });
}

}  // namespace proa::registry_server
