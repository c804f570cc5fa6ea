// The layers on disk: D/layers/<diff id hex>/{fs/,info.json}, each unpacked once, verified, durable before it is
// visible.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/stream.h"
#include "oci/digest.h"

namespace proa::image {

struct LayerInfo {
  oci::Digest diff_id;
  std::uint64_t size = 0;  // of the uncompressed tar
  std::uint64_t disk = 0;  // in use on disk
};

class Layers {
 public:
  // Makes D/layers and removes what an earlier death left unfinished there.
  explicit Layers(std::string data_root);
  ~Layers();

  bool has(const oci::Digest& diff_id) const;
  std::optional<LayerInfo> find(const oci::Digest& diff_id) const;
  LayerInfo get(const oci::Digest& diff_id) const;  // throws NotFound
  std::vector<LayerInfo> list() const;

  // Reads a layer (gzip, zstd, plain: recognised) to its end while it is inflated, hashed and unpacked, and publishes
  // it if the tar's hash is `diff_id`; else DataLoss and nothing is left. Where the layer is there already, or another
  // thread is just making it (then waits), `compressed` may be left unread. progress: bytes of `compressed` read so
  // far, from another thread than the caller's but never after the return. read() of `compressed` is called from one
  // other thread.
  LayerInfo apply(ByteSource& compressed, const oci::Digest& diff_id,
                  const std::function<void(std::uint64_t)>& progress = {}, std::stop_token stop = {});
  // The same for a tar whose diff ID is not known before (import, load, commit).
  LayerInfo add(ByteSource& compressed, std::stop_token stop = {});

  // The directory that becomes an overlay's lower.
  std::string lower_dir(const oci::Digest& diff_id) const;
  // Off the path at once (renamed to D/trash), deleted by empty_trash(). A missing one is no error.
  void remove(const oci::Digest& diff_id);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace proa::image
