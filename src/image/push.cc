#include "image/push.h"

#include <algorithm>
#include <map>

#include "base/failpoint.h"
#include "base/id.h"
#include "base/text.h"
#include "base/trace.h"
#include "image/contents.h"
#include "image/file_source.h"
#include "image/parallel.h"
#include "image/pull_progress.h"

namespace proa::image {

namespace {

// Repositories of the same registry that have had this image: the registry may take its blobs from there.
std::vector<std::string> neighbours(const ImageRecord& image, const oci::Reference& target) {
  constexpr std::size_t kMost = 3;
  std::vector<std::string> out;
  for (const std::string& name : image.repo_digests) {
    oci::Reference known = oci::Reference::parse(name);
    bool new_one = std::find(out.begin(), out.end(), known.path) == out.end();
    if (known.domain == target.domain && known.path != target.path && new_one) out.push_back(known.path);
    if (out.size() == kMost) break;
  }
  return out;
}

// What people call a layer while it is pushed: docker takes the diff ID.
std::map<oci::Digest, std::string> layer_names(const ImageRecord& image) {
  std::map<oci::Digest, std::string> out;
  for (const ImageLayer& layer : image.layers) out.emplace(layer.digest, layer.diff_id.short_hex());
  return out;
}

// One blob on its way, and what is said about it. Configurations and other platforms' blobs go without a word.
struct BlobPush {
  registry::Client& client;
  const store::Blobs& blobs;
  PullProgress& progress;
  const std::vector<std::string>& neighbours;

  void run(const oci::Descriptor& blob, const std::string& name) const {
    auto say = [&](std::string status) {
      if (!name.empty()) progress.say(std::move(status), name);
    };
    if (client.has_blob(blob.digest)) return say("Layer already exists");
    const auto size = static_cast<std::uint64_t>(blob.size);
    registry::BlobUpload upload;
    upload.digest = blob.digest;
    upload.size = size;
    upload.open = [&](std::uint64_t offset) { return std::make_unique<FileSource>(blobs.open(blob.digest), offset); };
    if (!name.empty()) upload.progress = [&](std::uint64_t sent) { progress.count("Pushing", name, sent, size); };
    std::string mounted = client.put_blob(upload, neighbours);
    say(mounted.empty() ? "Pushed" : cat("Mounted from ", mounted));
  }
};

}  // namespace

Pusher::Pusher(Images& images, store::Blobs& blobs, registry::Options options, int max_concurrent_uploads)
    : images_(images),
      blobs_(blobs),
      options_(std::move(options)),
      max_concurrent_(std::max(1, max_concurrent_uploads)) {}

void Pusher::reconfigure(registry::Options options, int max_concurrent_uploads) {
  *options_.lock() = std::move(options);
  max_concurrent_ = std::max(1, max_concurrent_uploads);
}

PushResult Pusher::push_one(const oci::Reference& reference, const ImageRecord& image, const Options& how,
                            const Progress& sink, std::stop_token stop) const {
  trace::Span span("push.image");
  span.set("reference", reference.text());
  Contents contents = how.platform ? contents_for(blobs_, image, *how.platform) : contents_of(blobs_, image);
  // Nothing of it may be collected while it is sent, also where the image is removed meanwhile.
  std::vector<oci::Digest> held;
  for (const auto* list : {&contents.blobs, &contents.manifests})
    for (const oci::Descriptor& one : *list) held.push_back(one.digest);
  Images::Hold hold(images_, held);

  std::stop_source all;
  std::stop_callback forward(stop, [&] { all.request_stop(); });
  PullProgress progress(sink);
  auto names = layer_names(image);
  auto from = neighbours(image, reference);
  registry::Client client(options_.copy(), reference, how.credentials, all.get_token(), registry::Access::Push, from);
  std::vector<oci::Descriptor> blobs = contents.blobs;
  std::reverse(blobs.begin(), blobs.end());  // docker begins at the top
  std::size_t said = 0;
  for (const auto& blob : blobs) {
    if (names.contains(blob.digest)) progress.say("Preparing", names.at(blob.digest));
  }
  for (const auto& blob : blobs) {
    if (!names.contains(blob.digest)) continue;
    if (said++ >= static_cast<std::size_t>(max_concurrent_)) progress.say("Waiting", names.at(blob.digest));
  }
  BlobPush one{client, blobs_, progress, from};
  in_parallel(blobs.size(), static_cast<std::size_t>(max_concurrent_), all, [&](std::size_t i) {
    auto name = names.find(blobs[i].digest);
    one.run(blobs[i], name == names.end() ? "" : name->second);
  });
  FAILPOINT("push.before_manifests");
  for (const oci::Descriptor& document : contents.manifests) {
    bool is_root = document.digest == contents.root.digest;
    client.put_manifest(is_root ? reference.tag : document.digest.text(), document.media_type,
                        blobs_.read(document.digest, oci::kMaxManifest));
  }
  images_.add_repo_digest(image.id, reference, contents.root.digest);
  progress.say(cat(reference.tag, ": digest: ", contents.root.digest.text(), " size: ", contents.root.size));
  return {reference.tag, contents.root.digest, static_cast<std::uint64_t>(contents.root.size)};
}

namespace {
[[noreturn]] void refuse_missing(const Images& images, const oci::Reference& reference) {
  bool others = !images.tags_of(reference.familiar_name()).empty();
  throw Error(ErrorKind::NotFound,
              others ? cat("tag does not exist: ", reference.familiar())
                     : cat("An image does not exist locally with the tag: ", reference.familiar_name()));
}
}  // namespace

void Pusher::push(const oci::Reference& reference, const Options& how, const Progress& progress,
                  const std::function<void(const PushResult&)>& pushed, std::stop_token stop) const {
  PullProgress(progress).say(cat("The push refers to repository [", reference.name(), "]"));
  std::vector<oci::Reference> wanted;
  if (!reference.tag.empty()) {
    wanted.push_back(reference);
  } else {
    for (const std::string& name : images_.tags_of(reference.familiar_name()))
      wanted.push_back(oci::Reference::parse(name));
  }
  if (wanted.empty()) refuse_missing(images_, reference);
  for (const oci::Reference& one : wanted) {
    auto image = images_.find(one.familiar());
    if (!image) refuse_missing(images_, one);
    pushed(push_one(one, *image, how, progress, stop));
  }
}

}  // namespace proa::image
