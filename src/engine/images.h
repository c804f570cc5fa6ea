// Images as the API shows them: a thin room over image::Images and image::Puller.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "api/filters.h"
#include "api/images.h"
#include "api/progress.h"
#include "base/stream.h"
#include "engine/image_offer.h"
#include "engine/streams.h"

namespace proa::engine {

struct Rooms;

using ProgressSink = std::function<void(const api::ProgressMessage&)>;

struct PullRequest {
  std::string from_image;  // "busybox", "localhost:5000/app@sha256:..."
  std::string tag;         // "", a tag or a digest
  std::string platform;    // "", "linux/arm64/v8"
  api::AuthConfig auth;
  bool all_tags = false;
};

struct CommitRequest {
  std::string container, repository, tag, author, comment;
  std::vector<std::string> changes;  // Dockerfile instructions
  bool pause = true;
};
struct ImportRequest {
  std::string repository, tag, message, platform;
  std::vector<std::string> changes;
};

class Images {
 public:
  explicit Images(Rooms& rooms) : rooms_(rooms) {}

  struct ListOptions {
    bool all = false;
    bool shared_size = false;
  };
  std::vector<api::ImageSummary> list(const ListOptions& options, const api::Filters& filters) const;
  // `platform`: "" for the unpacked one. Throws NotFound where the image does not have it here.
  api::ImageInspect inspect(std::string_view name, const std::string& platform = "") const;
  std::vector<api::ImageHistoryItem> history(std::string_view name, const std::string& platform = "") const;
  // What an image consists of: {"Descriptor"} (API 1.48; of `platform`, that manifest's) and, if `all`, {"Manifests"}
  // (1.47), with `identity` each with where it came from (1.54).
  JsonObject manifests(std::string_view name, bool all, const std::string& platform = "", bool identity = false) const;
  // `proa image tree`: its layers, who else has them, and the `files` largest files of each.
  JsonObject tree(std::string_view name, std::size_t files) const;
  // Where an image came from (API 1.53): {"Pull": [{"Repository"}]}; empty for one that no registry is known to have.
  JsonObject identity(std::string_view name) const;
  ImageOffer offer() const { return ImageOffer(rooms_); }
  // What fails before the first message is thrown; later failures are thrown too, the server writes them in-band.
  void pull(const PullRequest& request, const ProgressSink& progress, std::stop_token stop);
  // No tag: all tags of the repository.
  struct PushRequest {
    std::string name, tag, platform;
    api::AuthConfig auth;
  };
  void push(const PushRequest& request, const ProgressSink& progress, std::stop_token stop);
  // What a registry has under this name: {"Descriptor", "Platforms"}.
  Json distribution(std::string_view name, const api::AuthConfig& auth, std::stop_token stop) const;
  // Of the repository there; `type`: artifacts of that type only. Removal of a tag or of a manifest with all its tags.
  std::vector<std::string> registry_tags(std::string_view name, const api::AuthConfig& auth,
                                         std::stop_token stop) const;
  JsonArray registry_referrers(std::string_view name, const std::string& type, const api::AuthConfig& auth,
                               std::stop_token stop) const;
  void registry_remove(std::string_view name, const api::AuthConfig& auth, std::stop_token stop) const;
  // docker login. Throws Unauthorized.
  api::AuthResponse login(const api::AuthConfig& auth, std::stop_token stop);
  // `begin` is called once everything is known to be there.
  void save(const std::vector<std::string>& names, const std::vector<std::string>& platforms,
            const std::function<Sink()>& begin, std::stop_token stop);
  void load(ByteSource& archive, const std::vector<std::string>& platforms, bool quiet, const ProgressSink& progress,
            std::stop_token stop);
  // Throws InvalidArgument for a limit that is out of range.
  std::vector<api::SearchResult> search(const std::string& term, int limit, const api::Filters& filters,
                                        const api::AuthConfig& auth, std::stop_token stop) const;
  // Return the new image's ID.
  std::string commit(const CommitRequest& request, std::stop_token stop);
  std::string import(ByteSource& tar, const ImportRequest& request, std::stop_token stop);
  std::string import_from(const std::string& url, ImportRequest request, const ProgressSink& progress,
                          std::stop_token stop);
  void tag(std::string_view source, std::string_view repository, std::string_view tag);
  struct RemoveOptions {
    bool force = false, no_prune = false;
    std::vector<std::string> platforms;  // only these, of an image of several
  };
  std::vector<api::ImageDeleteItem> remove(std::string_view name, const RemoveOptions& options, std::stop_token stop);
  api::ImagesPruneReport prune(const api::Filters& filters);

 private:
  Rooms& rooms_;
};

}  // namespace proa::engine
