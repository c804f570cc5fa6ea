#include "image/pull.h"

#include <malloc.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/failpoint.h"
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
  std::string config_bytes;
  oci::ImageConfig config;

  const oci::Digest& top() const { return indexes.empty() ? manifest_document.digest : indexes.front().digest; }
};

void check_types(const oci::Manifest& manifest) {
  const std::string& type = manifest.config.media_type;
  // Early builders wrote this for the configuration.
  if (!oci::media_type::is_config(type) && type != "application/octet-stream") {
    throw Error(ErrorKind::InvalidArgument, cat("unsupported media type ", type, ": this is no container image"));
  }
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

// The path from the reference to one platform's manifest and configuration.
Resolved resolve(registry::Client& client, const store::Blobs& blobs, const oci::Reference& reference,
                 const oci::Platform& platform) {
  Resolved out;
  trace::Span span("pull.manifest");
  registry::FetchedManifest document = client.manifest(reference.tag_or_digest());
  std::string type = oci::manifest_type(document.bytes, document.media_type);
  while (oci::media_type::is_index(type)) {
    if (out.indexes.size() >= kMaxIndexDepth)
      throw Error(ErrorKind::InvalidArgument, "image indexes are nested too deeply");
    oci::Index index = oci::parse_index(document.bytes, document.media_type);
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
  check_types(out.manifest);
  const oci::Descriptor& config = out.manifest.config;
  out.config_bytes =
      blobs.has(config.digest) ? blobs.read(config.digest, oci::kMaxConfig) : client.blob(config, oci::kMaxConfig);
  out.config = oci::parse_image_config(out.config_bytes);
  check_config(out.config, out.manifest);
  return out;
}

std::vector<oci::Digest> everything_in(const Resolved& image) {
  std::vector<oci::Digest> out{image.manifest_document.digest, image.manifest.config.digest};
  for (const auto& index : image.indexes) out.push_back(index.digest);
  for (const oci::Descriptor& layer : image.manifest.layers) out.push_back(layer.digest);
  out.insert(out.end(), image.config.diff_ids.begin(), image.config.diff_ids.end());
  return out;
}

bool is_disk_full(const Error& error) { return error.errno_code() == ENOSPC || error.errno_code() == EDQUOT; }

}  // namespace

struct Puller::State {
  Images& images;
  store::Blobs& blobs;
  Layers& layers;
  registry::Options options;
  int max_concurrent;
  Flights flights;

  bool is_current(registry::Client& client, const oci::Reference& reference, const oci::Platform& platform,
                  oci::Digest& digest, oci::Digest& id);
  void fetch_layers(const Resolved& image, registry::Client& client, PullProgress& progress, std::stop_source stop);
  bool store(const Resolved& image, const oci::Reference& reference, const std::string& lease);
};

Puller::Puller(Images& images, store::Blobs& blobs, Layers& layers, registry::Options options,
               int max_concurrent_downloads)
    : state_(new State{images, blobs, layers, std::move(options), std::max(1, max_concurrent_downloads), {}}) {}

Puller::~Puller() = default;

// Where the name is known already, a HEAD tells whether it still stands for the same.
bool Puller::State::is_current(registry::Client& client, const oci::Reference& reference, const oci::Platform& platform,
                               oci::Digest& digest, oci::Digest& id) {
  auto known = images.find(reference.familiar(), platform);
  if (!known) return false;
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
  for (std::size_t i = 0; i < image.manifest.layers.size(); ++i) {
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
  std::size_t width = std::min(jobs.size(), static_cast<std::size_t>(max_concurrent));
  for (std::size_t i = width; i < jobs.size(); ++i)
    progress.say("Waiting", std::string(jobs[i].layer->digest.short_hex()));

  in_parallel(jobs.size(), width, stop, [&](std::size_t i) {
    LayerFetch{layers, blobs, flights, client, progress, stop.get_token()}.run(*jobs[i].layer, *jobs[i].diff_id);
  });
}

// Documents first, then everything in one transaction: the image is there whole or not at all.
bool Puller::State::store(const Resolved& image, const oci::Reference& reference, const std::string& lease) {
  trace::Span span("pull.commit");
  for (const auto& index : image.indexes) blobs.put(index.digest, index.bytes);
  blobs.put(image.manifest_document.digest, image.manifest_document.bytes);
  blobs.put(image.manifest.config.digest, image.config_bytes);
  FAILPOINT("pull.before_record");
  ImageRecord record;
  record.id = image.manifest.config.digest;
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
  registry::Client client(state_->options, reference, options.credentials, all.get_token());
  PullResult result;
  auto finish = [&] {
    progress.say(cat("Digest: ", result.digest.text()));
    progress.say(cat(result.downloaded ? "Status: Downloaded newer image for " : "Status: Image is up to date for ",
                     reference.familiar()));
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
  result.id = image->manifest.config.digest;
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
  return finish();
}

void Puller::pull_all(const oci::Reference& repository, const PullOptions& options, const Progress& progress,
                      std::stop_token stop) {
  std::vector<std::string> tags;
  {
    registry::Client client(state_->options, repository, options.credentials, stop);
    tags = client.tags();
  }
  for (const std::string& tag : tags) {
    oci::Reference reference = repository;
    reference.tag = tag;
    oci::check_tag(tag);
    pull(reference, options, progress, stop);
  }
}

}  // namespace proa::image
