// The catalogue of images: an index in memory over rows in the database, blobs and layers.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "image/check_report.h"
#include "image/layers.h"
#include "image/record.h"
#include "oci/reference.h"
#include "store/blobs.h"
#include "store/database.h"
#include "store/lease.h"

namespace proa::image {

struct RemovedItem {
  enum class Kind { Untagged, Deleted } kind;
  std::string name;      // "busybox:latest"; "sha256:..." of the image, then of its layers' chains
  std::string image_id;  // "" for a chain
};

// Containers made of an image.
struct ImageUse {
  std::string container_id;
  bool running = false;
};
using ImageUses = std::function<std::vector<ImageUse>(const oci::Digest& image)>;
enum class Removal { Normal, Forced };

class Images {
 public:
  // Loads the catalogue; drops rows whose layers are gone (logged) and forgets leases that have lapsed; collect() does
  // the rest.
  Images(store::Database& database, store::Blobs& blobs, Layers& layers);
  ~Images();

  // A name, an ID, a unique prefix of an ID, or a digest. `platform`: nullopt also where the image is for another one.
  std::optional<ImageRecord> find(std::string_view name, const std::optional<oci::Platform>& platform = {}) const;
  ImageRecord get(std::string_view name) const;   // throws NotFound "No such image: x:latest"
  bool is_whole(const ImageRecord& image) const;  // documents, blobs and layers are all there
  std::vector<ImageRecord> list() const;          // newest first
  std::size_t count() const;
  // The image as it is for another platform that is here, with its layers unpacked. Runs in a scope of Growing that
  // ends when somebody stands on them. Throws NotFound, docker's words, where the image does not have that platform
  // here.
  ImageRecord unpack_for(const ImageRecord& image, const oci::Platform& platform, std::stop_token stop);

  // Gives the image another name; one that had it loses it. Throws as docker does for digests and "sha256".
  void tag(std::string_view source, const oci::Reference& target);
  std::vector<RemovedItem> remove(std::string_view name, Removal how, const ImageUses& uses);
  // Takes one platform's manifest, and what attests it, out of an image of several. Where it is the unpacked one,
  // another is unpacked in its place and the image gets that one's ID; with the last one the image goes. Throws
  // NotFound where it is not here, Conflict where a running container was made of it.
  std::vector<RemovedItem> remove_platform(std::string_view name, const oci::Platform& platform, const ImageUses& uses,
                                           std::stop_token stop);
  // Images without a tag (or, `all`, all) that no container was made of and that `keep` does not keep.
  struct Pruned {
    std::vector<RemovedItem> items;
    std::uint64_t reclaimed = 0;
  };
  Pruned prune(bool all, const std::function<bool(const ImageRecord&)>& keep, const ImageUses& uses);

  // Records a pulled or built image whose blobs and layers are in place; `lease` ends in the same transaction.
  // `reference` may have a tag, a digest, both or (dangling) be empty. Returns whether anything changed.
  bool record(ImageRecord image, const std::optional<oci::Reference>& reference, const oci::Digest& repo_digest,
              const std::string& lease);
  // Notes that the repository of `reference` has the image under this digest.
  void add_repo_digest(const oci::Digest& id, const oci::Reference& reference, const oci::Digest& digest);
  // "busybox:1", "busybox:latest" of the repository "busybox".
  std::vector<std::string> tags_of(std::string_view repository) const;

  // While one lives nothing is collected: for content whose digest is known only once it is there.
  class Growing {
   public:
    explicit Growing(Images& images);
    ~Growing();
    Growing(const Growing&) = delete;
    Growing& operator=(const Growing&) = delete;
    // What was written turned out to be nobody's, though nothing failed: it goes at the end.
    void clear_up();

   private:
    Images& images_;
    int exceptions_;  // more of them at the end: it failed, and what it had written is nobody's
  };

  // Adds to what the pull of this name holds: from the return on nothing of it is collected, and what is there then
  // stays.
  void hold(const std::string& lease, const std::vector<oci::Digest>& digests);
  // What is being read: not collected while this object lives. (Nobody goes on with it after a death: no lease.)
  class Hold {
   public:
    Hold(Images& images, const std::vector<oci::Digest>& digests);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    void add(const std::vector<oci::Digest>& digests);

   private:
    Images& images_;
  };
  // Ends a lease and deletes what only it held: for a full disk.
  void give_up(const std::string& lease);

  // Layers that containers stand on, asked before anything is collected. To be set before the first removal.
  void set_layers_in_use(std::function<std::vector<oci::Digest>()> in_use);
  // Deletes blobs, ingest files and layers that neither an image, nor a lease, nor a container holds.
  void collect();

  CheckReport check(Repair repair);  // check_report.h

  struct State;  // images_state.h

 private:
  std::unique_ptr<State> state_;
};

}  // namespace proa::image
