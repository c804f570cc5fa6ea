// The layers on disk, each made once, verified, durable before it is visible: in either of the forms of layer_info.h,
// side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/stream.h"
#include "image/layer_info.h"
#include "oci/digest.h"
#include "os/fd.h"

namespace proa::image {

// A layer as a directory that becomes an overlay's lower, for as long as this lives.
struct Lower {
  std::string path = {};
  std::shared_ptr<const os::Fd> mount = {};  // what `path` leads into, where the layer is a file
  std::string file = {};                     // that file, for people
};

enum class LayerState { Whole, Missing, Damaged };

class Layers {
 public:
  // Makes D/layers and removes what an earlier death left unfinished there. `form`: of layers that are made from now
  // on (layer_file.h tells whether this machine can have it).
  explicit Layers(std::string data_root, LayerForm form = LayerForm::Directory);
  ~Layers();
  LayerForm form() const;

  bool has(const oci::Digest& diff_id) const;
  std::optional<LayerInfo> find(const oci::Digest& diff_id) const;
  LayerInfo get(const oci::Digest& diff_id) const;  // throws NotFound
  std::vector<LayerInfo> list() const;

  // Reads a layer (gzip, zstd, plain: recognised) to its end while it is inflated, hashed and made into its form, and
  // publishes it if the tar's hash is `diff_id`; else DataLoss and nothing is left. Where the layer is there already,
  // or another thread is just making it (then waits), `compressed` may be left unread. progress: bytes of `compressed`
  // read so far, from another thread than the caller's but never after the return. read() of `compressed` is called
  // from one other thread.
  LayerInfo apply(ByteSource& compressed, const oci::Digest& diff_id,
                  const std::function<void(std::uint64_t)>& progress = {}, std::stop_token stop = {});
  // The same for a tar whose diff ID is not known before (import, load, commit).
  LayerInfo add(ByteSource& compressed, std::stop_token stop = {});

  // Throws NotFound. A layer file stays mounted (detached: in no mount table), so that the next container finds it so;
  // one that cannot be mounted here any more is unpacked.
  Lower lower(const oci::Digest& diff_id) const;
  // A layer file is read and hashed. Of an unpacked layer there is no hash: it is compared with what `blob`, which is
  // whole, becomes when it is unpacked once more; where that is null it is only looked for.
  LayerState check(const oci::Digest& diff_id, ByteSource* blob) const;
  // Names in D/layers that are no layer's.
  std::vector<std::string> strays() const;
  void remove_stray(const std::string& name);
  // Off the path at once (renamed to D/trash), deleted by empty_trash(). A missing one is no error.
  void remove(const oci::Digest& diff_id);
  // Any file or directory of the data root: renamed to D/trash, for a large one takes long to delete.
  void discard(const std::string& path) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace proa::image
