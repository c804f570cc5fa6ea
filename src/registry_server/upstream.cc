#include "registry_server/upstream.h"

#include <thread>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "os/file.h"
#include "registry/url.h"
#include "registry_server/refusal.h"

namespace proa::registry_server {

namespace {

constexpr std::size_t kMostChecked = 100'000, kPiece = 256 << 10;

[[noreturn]] void refuse(const Error& error, const Refusal& missing) {
  if (error.kind() == ErrorKind::NotFound) throw missing;
  if (error.kind() == ErrorKind::Unauthorized || error.kind() == ErrorKind::Forbidden)
    throw Refusal{403, "DENIED", cat("upstream: ", error.message())};
  if (error.kind() == ErrorKind::Cancelled) throw error;
  throw Refusal{502, "UNAVAILABLE", cat("upstream: ", error.message())};
}

bool is_down(const Error& error) {
  return error.kind() == ErrorKind::Unavailable || error.kind() == ErrorKind::Deadline;
}

template <class Ask>
auto unless_down(Ask ask) -> std::optional<decltype(ask())> {
  try {
    return ask();
  } catch (const Error& error) {
    if (is_down(error)) return std::nullopt;
    refuse(error, {404, "NAME_UNKNOWN", "repository name not known to registry"});
  }
}

Refusal manifest_unknown() { return {404, "MANIFEST_UNKNOWN", "manifest unknown"}; }
Refusal blob_unknown() { return {404, "BLOB_UNKNOWN", "blob unknown to registry"}; }

}  // namespace

std::uint64_t Fetch::wait_beyond(std::uint64_t at) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return done_ || (received_ > at && received_ < size_); });
  if (failure_) throw *failure_;
  return received_;
}

void Fetch::came(std::uint64_t received) {
  std::lock_guard guard(mutex_);
  received_ = received;
  changed_.notify_all();
}

void Fetch::succeed() {
  std::lock_guard guard(mutex_);
  received_ = size_;
  done_ = true;
  changed_.notify_all();
}

void Fetch::fail(const Error& error) {
  std::lock_guard guard(mutex_);
  failure_ = error;
  done_ = true;
  changed_.notify_all();
}

Upstream::Upstream(const Settings& settings, store::Blobs& blobs, Repositories& repositories, Metrics& metrics)
    : believed_(60 * kSecond * settings.cache_minutes), blobs_(blobs), repositories_(repositories), metrics_(metrics) {
  bool plain = settings.upstream.starts_with("http://");
  bool schemeless = settings.upstream.find("://") == std::string::npos;
  registry::Url url = registry::Url::parse(schemeless ? cat("https://", settings.upstream) : settings.upstream);
  domain_ = url.authority();
  if (plain) options_.insecure_registries.push_back(domain_);
  if (!settings.upstream_config_path.empty()) options_.certs_dir = settings.upstream_config_path;
  options_.user_agent = "proa-registry/" PROA_VERSION;
  credentials_.username = settings.upstream_user;
  if (!settings.upstream_password_file.empty())
    credentials_.password = trim(os::read_file(settings.upstream_password_file, 1 << 16));
  client("check");
}

Upstream::~Upstream() {
  stop_.request_stop();
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [&] { return running_ == 0; });
}

registry::Client Upstream::client(const std::string& repository) const {
  return {options_, oci::Reference::parse(cat(domain_, "/", repository)), credentials_, stop_.get_token()};
}

bool Upstream::is_fresh(const std::string& name) {
  std::lock_guard guard(mutex_);
  auto found = checked_.find(name);
  return found != checked_.end() && monotonic_now() - found->second < believed_;
}

void Upstream::take_manifest(registry::Client& from, const std::string& repository, const std::string& reference) {
  ++metrics_.cache_misses;
  auto document = from.manifest(reference);
  repositories_.put(repository, reference, document.media_type, document.bytes, Repositories::References::Elsewhere);
}

void Upstream::want_manifest(const std::string& repository, const std::string& reference) {
  auto known = repositories_.find(repository, reference);
  bool by_digest = oci::Digest::try_parse(reference).has_value();
  std::string name = cat(repository, ":", reference);
  if (known && (by_digest || is_fresh(name))) {
    ++metrics_.cache_hits;
    return repositories_.touch(repository, known->digest);
  }
  try {
    registry::Client from = client(repository);
    auto there = known ? from.resolve(reference) : std::nullopt;
    if (there && there->digest == known->digest) {
      ++metrics_.cache_hits;
      repositories_.touch(repository, known->digest);
    } else {
      take_manifest(from, repository, reference);
    }
  } catch (const Error& error) {
    if (!known || !is_down(error)) refuse(error, manifest_unknown());
    ++metrics_.cache_stale;
    log::warn("upstream does not answer: serving what is cached", {{"name", name}, {"error", error.what()}});
    return;
  }
  std::lock_guard guard(mutex_);
  if (checked_.size() >= kMostChecked) checked_.clear();
  checked_[name] = monotonic_now();
}

std::shared_ptr<Fetch> Upstream::want_blob(const std::string& repository, const oci::Digest& digest) {
  if (repositories_.has_blob(repository, digest)) {
    ++metrics_.cache_hits;
    return nullptr;
  }
  std::optional<std::uint64_t> size;
  Job job{repository, digest};
  try {
    size = client(repository).blob_size(digest);
  } catch (const Error& error) {
    refuse(error, blob_unknown());
  }
  if (!size) throw blob_unknown();
  if (blobs_.has(digest)) {  // another repository's; upstream has just said that this one has it, too
    repositories_.link_blob(repository, digest);
    if (blobs_.has(digest)) return nullptr;
  }
  ++metrics_.cache_misses;
  std::lock_guard guard(mutex_);
  if (auto known = fetches_.find(digest); known != fetches_.end()) return known->second;
  auto ingest = std::make_shared<store::Ingest>(blobs_.ingest(digest, *size));
  auto fetch_ptr = std::make_shared<Fetch>(ingest->reader(), *size);
  fetches_[digest] = fetch_ptr;
  ++running_;
  std::thread([this, job, fetch_ptr, ingest]() mutable {
    try {
      fetch(job, *ingest, *fetch_ptr);
      fetch_ptr->succeed();
    } catch (...) {
      fetch_ptr->fail(to_error(std::current_exception()));
    }
    std::lock_guard ending(mutex_);
    fetches_.erase(job.digest);
    ingest.reset();
    --running_;
    ended_.notify_all();
  }).detach();
  return fetch_ptr;
}

std::optional<std::vector<std::string>> Upstream::tags(const std::string& repository) {
  ++metrics_.cache_misses;
  return unless_down([&] { return client(repository).tags(); });
}

std::optional<std::vector<oci::Descriptor>> Upstream::referrers(const std::string& repository,
                                                                const oci::Digest& subject,
                                                                const std::string& artifact_type) {
  ++metrics_.cache_misses;
  return unless_down([&] { return client(repository).referrers(subject, artifact_type); });
}

void Upstream::fetch(const Job& job, store::Ingest& ingest, Fetch& into) {
  std::vector<std::byte> buffer(kPiece);
  while (ingest.replay(buffer) > 0) into.came(ingest.received());
  oci::Descriptor blob;
  blob.digest = job.digest;
  blob.size = static_cast<std::int64_t>(into.size());
  std::uint64_t skip = 0;
  registry::BlobReceiver receiver{
      .restart = [&] { skip = ingest.received(); },
      .data =
          [&](std::span<const std::byte> piece) {
            std::uint64_t known = std::min<std::uint64_t>(skip, piece.size());
            skip -= known;
            ingest.append(piece.subspan(known));
            into.came(ingest.received());
          },
  };
  if (ingest.received() < into.size()) client(job.repository).stream_blob(blob, ingest.received(), receiver);
  ingest.verify();
  ingest.commit();
  repositories_.link_blob(job.repository, job.digest);
}

}  // namespace proa::registry_server
