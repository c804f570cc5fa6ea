#include "image/pull.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <set>

#include "base/failpoint.h"
#include "base/sync.h"
#include "base/text.h"
#include "base/trace.h"
#include "image/layer_fetch.h"
#include "image/parallel.h"
#include "image/pull_progress.h"

namespace proa::image {

namespace {

constexpr int kMaxIndexDepth = 4;

// Everything a manifest says, fetched and checked, before the first layer.
struct Resolved {
  std::vector<registry::FetchedManifest> indexes;  // outermost first
  registry::FetchedManifest manifest_document;
  oci::Manifest manifest;
  std::string artifact_type;  // not empty: what follows is unset
  std::string config_bytes;
  oci::ImageConfig config;
  std::vector<registry::FetchedManifest> attestations;
  std::vector<oci::Descriptor> kept_blobs;  // as they are: an artifact's own, an attestation's

  const oci::Digest& top() const { return indexes.empty() ? manifest_document.digest : indexes.front().digest; }
  // What the image is called by.
  const oci::Digest& id() const { return artifact_type.empty() ? manifest.config.digest : manifest_document.digest; }

  void keep_blobs(const oci::Manifest& of) {
    std::vector<oci::Descriptor> all = of.layers;
    all.push_back(of.config);
    for (oci::Descriptor& blob : all) {
      auto same = [&](const oci::Descriptor& one) { return one.digest == blob.digest; };
      bool known = std::any_of(kept_blobs.begin(), kept_blobs.end(), same);
      if (!known && !oci::media_type::is_foreign(blob.media_type)) kept_blobs.push_back(std::move(blob));
    }
  }
};

void check_types(const oci::Manifest& manifest) {
  for (const oci::Descriptor& layer : manifest.layers) {
    if (!oci::media_type::is_layer(layer.media_type)) {
      throw Error(ErrorKind::InvalidArgument,
                  cat("unsupported layer media type ", layer.media_type, " of ", layer.digest.text()));
    }
  }
}

void check_config(const oci::ImageConfig& config, const oci::Manifest& manifest) {
  if (config.diff_ids.size() != manifest.layers.size()) {
    throw Error(ErrorKind::InvalidArgument, "layers from manifest don't match image configuration");
  }
  if (config.platform.os != "linux") {
    throw Error(ErrorKind::InvalidArgument, cat("image operating system ", quoted(config.platform.os),
                                                " cannot be used on this platform: operating system is not supported"));
  }
}

// What builders say of the image that was chosen. A registry that copied the image without them is no reason to fail.
void fetch_attestations(registry::Client& client, const oci::Index& index, Resolved& image) {
  constexpr std::size_t kMost = 16;
  for (const oci::Descriptor& entry : index.manifests) {
    bool about_it = oci::attested_by(entry) == image.manifest_document.digest;
    if (!about_it || !oci::media_type::is_manifest(entry.media_type)) continue;
    if (image.attestations.size() == kMost) throw Error(ErrorKind::InvalidArgument, "too many attestations");
    try {
      image.attestations.push_back(client.manifest(entry));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::NotFound) throw;
      continue;
    }
    const registry::FetchedManifest& document = image.attestations.back();
    image.keep_blobs(oci::parse_manifest(document.bytes, document.media_type));
  }
}

// The path from the reference to one platform's manifest and configuration.
Resolved resolve(registry::Client& client, const store::Blobs& blobs, const oci::Reference& reference,
                 const oci::Platform& platform) {
  Resolved out;
  trace::Span span("pull.manifest");
  registry::FetchedManifest document = client.manifest(reference.tag_or_digest());
  std::string type = oci::manifest_type(document.bytes, document.media_type);
  oci::Index index;  // the innermost
  while (oci::media_type::is_index(type)) {
    if (out.indexes.size() >= kMaxIndexDepth)
      throw Error(ErrorKind::InvalidArgument, "image indexes are nested too deeply");
    index = oci::parse_index(document.bytes, document.media_type);
    oci::Descriptor chosen = oci::choose_manifest(index, platform);
    out.indexes.push_back(std::move(document));
    document = client.manifest(chosen);
    type = oci::manifest_type(document.bytes, document.media_type);
  }
  out.manifest = oci::parse_manifest(document.bytes, document.media_type);
  span.set("digest", document.digest.text());
  span.set("media_type", type);
  span.set("layers", static_cast<std::int64_t>(out.manifest.layers.size()));
  out.manifest_document = std::move(document);
  out.artifact_type = oci::artifact_type(out.manifest);
  if (!out.artifact_type.empty()) {
    out.keep_blobs(out.manifest);
    return out;
  }
  check_types(out.manifest);
  const oci::Descriptor& config = out.manifest.config;
  out.config_bytes =
      blobs.has(config.digest) ? blobs.read(config.digest, oci::kMaxConfig) : client.blob(config, oci::kMaxConfig);
  out.config = oci::parse_image_config(out.config_bytes);
  check_config(out.config, out.manifest);
  fetch_attestations(client, index, out);
  return out;
}

std::vector<oci::Digest> everything_in(const Resolved& image) {
  std::vector<oci::Digest> out{image.manifest_document.digest, image.manifest.config.digest};
  for (const auto& index : image.indexes) out.push_back(index.digest);
  for (const oci::Descriptor& layer : image.manifest.layers) out.push_back(layer.digest);
  out.insert(out.end(), image.config.diff_ids.begin(), image.config.diff_ids.end());
  for (const auto& attestation : image.attestations) out.push_back(attestation.digest);
  for (const oci::Descriptor& blob : image.kept_blobs) out.push_back(blob.digest);
  return out;
}

const Progress kNobody;

bool is_disk_full(const Error& error) { return error.errno_code() == ENOSPC || error.errno_code() == EDQUOT; }

}  // namespace

struct Puller::State {
  Images& images;
  store::Blobs& blobs;
  Layers& layers;
  Sync<registry::Options> options;
  std::atomic<int> max_concurrent;
  Flights flights;

  bool is_current(registry::Client& client, const oci::Reference& reference, const oci::Platform& platform,
                  oci::Digest& digest, oci::Digest& id);
  void fetch_layers(const Resolved& image, registry::Client& client, PullProgress& progress, std::stop_source stop);
  bool store(const Resolved& image, const oci::Reference& reference, const std::string& lease);
};

Puller::Puller(Images& images, store::Blobs& blobs, Layers& layers, registry::Options options,
               int max_concurrent_downloads)
    : state_(new State{images, blobs, layers, Sync(std::move(options)), std::max(1, max_concurrent_downloads), {}}) {}

Puller::~Puller() = default;

void Puller::reconfigure(registry::Options options, int max_concurrent_downloads) {
  *state_->options.lock() = std::move(options);
  state_->max_concurrent = std::max(1, max_concurrent_downloads);
}

// Where the name is known already, a HEAD tells whether it still stands for the same.
bool Puller::State::is_current(registry::Client& client, const oci::Reference& reference, const oci::Platform& platform,
                               oci::Digest& digest, oci::Digest& id) {
  auto known = images.find(reference.familiar(), platform);
  if (!known || !images.is_whole(*known)) return false;
  auto now_there = client.resolve(reference.tag_or_digest());
  if (!now_there) return false;
  std::string name = cat(reference.familiar_name(), "@", now_there->digest.text());
  if (!std::binary_search(known->repo_digests.begin(), known->repo_digests.end(), name)) return false;
  digest = now_there->digest;
  id = known->id;
  return true;
}

void Puller::State::fetch_layers(const Resolved& image, registry::Client& client, PullProgress& progress,
                                 std::stop_source stop) {
  struct Job {
    const oci::Descriptor* layer;
    const oci::Digest* diff_id;
  };
  std::vector<Job> jobs;
  std::set<oci::Digest> seen;
  for (std::size_t i = 0; i < image.config.diff_ids.size(); ++i) {
    const oci::Descriptor& layer = image.manifest.layers[i];
    const oci::Digest& diff_id = image.config.diff_ids[i];
    std::string id(layer.digest.short_hex());
    bool first = seen.insert(diff_id).second;
    if (!first) continue;
    if (layers.has(diff_id) && blobs.has(layer.digest)) {
      progress.say("Already exists", id);
    } else {
      progress.say("Pulling fs layer", id);
      jobs.push_back({&layer, &diff_id});
    }
  }
  std::size_t width = std::min(jobs.size(), static_cast<std::size_t>(max_concurrent.load()));
  for (std::size_t i = width; i < jobs.size(); ++i)
    progress.say("Waiting", std::string(jobs[i].layer->digest.short_hex()));

  // Nobody is told of attestations: they are small.
  PullProgress silent(kNobody);
  PullProgress& of_blobs = image.artifact_type.empty() ? silent : progress;
  std::size_t all = jobs.size() + image.kept_blobs.size();
  in_parallel(all, std::min(all, static_cast<std::size_t>(max_concurrent)), stop, [&](std::size_t i) {
    if (i < jobs.size()) {
      LayerFetch{layers, blobs, flights, client, progress, stop.get_token()}.run(*jobs[i].layer, *jobs[i].diff_id);
    } else {
      const oci::Descriptor& blob = image.kept_blobs[i - jobs.size()];
      LayerFetch{layers, blobs, flights, client, of_blobs, stop.get_token()}.run_blob(blob);
    }
  });
}

// Documents first, then everything in one transaction: the image is there whole or not at all.
bool Puller::State::store(const Resolved& image, const oci::Reference& reference, const std::string& lease) {
  trace::Span span("pull.commit");
  for (const auto& index : image.indexes) blobs.put(index.digest, index.bytes);
  for (const auto& attestation : image.attestations) blobs.put(attestation.digest, attestation.bytes);
  blobs.put(image.manifest_document.digest, image.manifest_document.bytes);
  if (image.artifact_type.empty()) blobs.put(image.manifest.config.digest, image.config_bytes);
  FAILPOINT("pull.before_record");
  ImageRecord record;
  record.id = image.id();
  record.artifact_type = image.artifact_type;
  for (const auto& index : image.indexes) record.others.push_back(index.digest);
  for (const auto& attestation : image.attestations) record.others.push_back(attestation.digest);
  for (const oci::Descriptor& blob : image.kept_blobs) {
    record.others.push_back(blob.digest);
    if (!image.artifact_type.empty()) record.size += static_cast<std::uint64_t>(blob.size);
  }
  record.manifest = image.manifest_document.digest;
  if (!image.indexes.empty()) record.index = image.indexes.front().digest;
  record.config = image.config;
  record.diff_ids = image.config.diff_ids;
  record.created = parse_rfc3339(image.config.created).value_or(kZeroTime);
  for (std::size_t i = 0; i < record.diff_ids.size(); ++i) {
    ImageLayer layer{image.manifest.layers[i].digest, record.diff_ids[i], layers.get(record.diff_ids[i]).size};
    record.size += layer.size;
    record.layers.push_back(std::move(layer));
  }
  return images.record(std::move(record), reference, image.top(), lease);
}

PullResult Puller::pull(const oci::Reference& name, const PullOptions& options, const Progress& sink,
                        std::stop_token stop) {
  oci::Reference reference = name.with_default_tag();
  oci::Platform platform = options.platform.empty() ? oci::Platform::host() : options.platform;
  PullProgress progress(sink);
  // Ends with the caller's stop, or when one layer fails.
  std::stop_source all;
  std::stop_callback forward(stop, [&] { all.request_stop(); });
  registry::Client client(state_->options.copy(), reference, options.credentials, all.get_token());
  PullResult result;
  auto finish = [&] {
    progress.say(cat("Digest: ", result.digest.text()));
    progress.say(cat(result.downloaded ? "Status: Downloaded newer image for " : "Status: Image is up to date for ",
                     options.all_tags ? reference.familiar_name() : reference.familiar()));
    return result;
  };
  std::optional<Resolved> image;
  {
    trace::Span span("pull.resolve");
    span.set("reference", reference.text());
    span.set("platform", platform.text());
    if (state_->is_current(client, reference, platform, result.digest, result.id)) {
      progress.say_of_tag(cat("Pulling from ", reference.path), reference.tag_or_digest());
      return finish();
    }
    image = resolve(client, state_->blobs, reference, platform);
  }
  progress.say_of_tag(cat("Pulling from ", reference.path), reference.tag_or_digest());
  result.id = image->id();
  result.digest = image->top();
  std::string lease = cat("pull-", image->manifest_document.digest.hex());
  state_->images.hold(lease, everything_in(*image));
  FAILPOINT("pull.after_lease");
  try {
    state_->fetch_layers(*image, client, progress, all);
    result.downloaded = state_->store(*image, reference, lease);
  } catch (const Error& error) {
    if (is_disk_full(error)) state_->images.give_up(lease);
    throw;
  }
  ::malloc_trim(0);  // the buffers of many threads; the daemon is to be small again
  finish();
  if (auto offered = image->config.platform; !options.platform.empty() && preference(platform, offered) < 0) {
    progress.say(cat("WARNING: image with reference ", reference.familiar(), " was found but its platform (",
                     offered.text(), ") does not match the specified platform (", platform.text(), ")"));
  }
  return result;
}

void Puller::pull_all(const oci::Reference& repository, const PullOptions& options, const Progress& progress,
                      std::stop_token stop) {
  std::vector<std::string> tags;
  {
    registry::Client client(state_->options.copy(), repository, options.credentials, stop);
    tags = client.tags();
  }
  for (const std::string& tag : tags) {
    oci::Reference reference = repository;
    reference.tag = tag;
    oci::check_tag(tag);
    auto one = options;
    one.all_tags = true;
    pull(reference, one, progress, stop);
  }
}

}  // namespace proa::image
