// The registry behind a pull-through cache: what is not here is fetched there, once, and handed on while it comes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/reference.h"
#include "registry/client.h"
#include "registry_server/metrics.h"
#include "registry_server/repositories.h"
#include "registry_server/settings.h"
#include "store/blobs.h"

namespace proa::registry_server {

// A blob on its way here. Its bytes may be read as they come; that they are right is known at the end only, and whoever
// was sent wrong ones is cut off before their last.
class Fetch {
 public:
  Fetch(os::Fd file, std::uint64_t size) : file_(std::move(file)), size_(size) {}
  std::uint64_t size() const { return size_; }
  int file() const { return file_.get(); }
  // Waits until more than `at` bytes are there, or, where that would be all of them, until they are proved: how many
  // there are. Throws what the fetching failed on.
  std::uint64_t wait_beyond(std::uint64_t at);

  void came(std::uint64_t received);
  void succeed();
  void fail(const Error& error);

 private:
  os::Fd file_;
  std::uint64_t size_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t received_ = 0;
  bool done_ = false;
  std::optional<Error> failure_;
};

class Upstream {
 public:
  // Throws InvalidArgument for an address that is none.
  Upstream(const Settings& settings, store::Blobs& blobs, Repositories& repositories, Metrics& metrics);
  ~Upstream();

  // Sees to it that what upstream has under this name is here. Throws Refusal.
  void want_manifest(const std::string& repository, const std::string& reference);
  // nullptr: it is here. Throws Refusal.
  std::shared_ptr<Fetch> want_blob(const std::string& repository, const oci::Digest& digest);
  // nullopt: upstream does not answer.
  std::optional<std::vector<std::string>> tags(const std::string& repository);
  std::optional<std::vector<oci::Descriptor>> referrers(const std::string& repository, const oci::Digest& subject,
                                                        const std::string& artifact_type);

 private:
  struct Job {
    std::string repository;
    oci::Digest digest;
  };
  registry::Client client(const std::string& repository) const;
  void take_manifest(registry::Client& from, const std::string& repository, const std::string& reference);
  void fetch(const Job& job, store::Ingest& ingest, Fetch& into);
  bool is_fresh(const std::string& name);

  registry::Options options_;
  registry::Credentials credentials_;
  std::string domain_;
  std::int64_t believed_;  // nanoseconds
  store::Blobs& blobs_;
  Repositories& repositories_;
  Metrics& metrics_;

  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::map<oci::Digest, std::shared_ptr<Fetch>> fetches_;
  int running_ = 0;
  std::map<std::string, std::int64_t> checked_;  // when upstream last said what a tag stands for, monotonic
};

}  // namespace proa::registry_server
