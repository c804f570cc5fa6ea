// The writable layer of a container over its image's layers: D/containers/<id>/{upper,work}, mounted as a detached
// overlay.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "archive/tar_writer.h"
#include "image/changes.h"
#include "image/layers.h"
#include "os/fd.h"
#include "os/rooted_dir.h"

namespace proa::image {

// An empty file in every container's root, by which programs know that they are in one. The engine's, no change of the
// container's.
inline constexpr std::string_view kEngineMark = ".dockerenv";

enum class Volatile { No, Yes };  // Yes: the upper is thrown away with the container, nothing in it is ever synced

class Snapshots {
 public:
  Snapshots(std::string data_root, Layers& layers);

  // Makes upper and work; the directory of the container is made where it is missing. Throws NotFound if a layer is.
  // diff_ids: bottom first, none for an image from scratch. They are kept beside the upper (lowers.json).
  void prepare(std::string_view container_id, std::span<const oci::Digest> diff_ids);
  bool is_whole(std::string_view container_id) const;
  // Makes again what is missing of what prepare() made, for which of it is on the disk when the power fails nobody
  // knows. False: nothing is.
  bool restore(std::string_view container_id, std::span<const oci::Digest> diff_ids);

  // The container's root as a detached mount; it never appears in this namespace's mount table and goes with its last
  // user.
  os::Fd mount(std::string_view container_id, Volatile durability) const;
  // The same for files of a container that is not running (docker cp, export).
  os::RootedDir view(std::string_view container_id) const;

  // docker diff: sorted by path.
  std::vector<Change> changes(std::string_view container_id) const;
  // What `wanted` (of paths like "etc/passwd") lets pass, as the tar of a layer; not finish()ed.
  void pack_changes(std::string_view container_id, const std::function<bool(std::string_view)>& wanted,
                    archive::TarWriter& to, std::stop_token stop) const;
  std::uint64_t size(std::string_view container_id) const;  // bytes of disk of the upper

  // Deletes what is in D/trash; for a background thread. Errors are logged, the rest goes on.
  void empty_trash();

 private:
  std::string dir(std::string_view container_id) const;
  std::vector<oci::Digest> lowers(std::string_view container_id) const;
  Lower empty_layer() const;                                             // what an image from scratch stands on
  std::vector<Lower> lower_layers(std::string_view container_id) const;  // topmost first

  std::string data_root_;
  Layers& layers_;
};

}  // namespace proa::image
