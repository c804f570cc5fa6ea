// A layer in one file, never unpacked: its tar with the EROFS file system around it (archive/erofs.h), its record in
// the first bytes. Mounted from the file itself, which Linux can from 6.12 on.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "archive/hash.h"
#include "archive/layer_tree.h"
#include "base/stream.h"
#include "image/file_source.h"
#include "image/layer_info.h"
#include "os/fd.h"

namespace proa::image {

inline constexpr std::string_view kLayerFile = ".erofs";  // after the diff ID

class LayerFileWriter {
 public:
  explicit LayerFileWriter(const std::string& path);

  // Reads a tar to its end: hashed, written and looked at in one pass. Throws what the tar deserves.
  void take(ByteSource& tar, const std::stop_token& stop);
  // After take(): why the tar cannot be mounted, "" if it can; it is to be unpacked then.
  const std::string& unfit() const { return tree_.unfit(); }
  const oci::Digest& diff_id() const { return diff_id_; }
  std::uint64_t size() const { return size_; }  // of the tar
  FileSource tar() const;

  // Writes what makes it a file system and a layer; nothing is durable yet.
  LayerInfo finish();
  void sync();

 private:
  os::Fd file_;
  archive::LayerTree tree_;
  oci::Digest diff_id_;
  std::uint64_t size_ = 0;
};

// The record of a complete layer file; throws DataLoss.
LayerInfo read_layer_file(const std::string& path);
// The tar in it.
FileSource open_layer_tar(const std::string& path, const LayerInfo& info);
// Reads all of it: false where a byte is not what it was.
bool is_whole(const std::string& path, const LayerInfo& info);

// Detached; the file may be renamed and unlinked.
os::Fd mount_layer_file(const std::string& path);
// Makes, mounts and reads a small one in `directory`, below an overlay; throws with the reason where that is not
// possible.
void try_layer_file(const std::string& directory);

}  // namespace proa::image
