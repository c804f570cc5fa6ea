// An EROFS file system (Documentation/filesystems/erofs.rst and the kernel's on-disk format) around a layer's tar:
//
//   0      1024 bytes that EROFS leaves alone, for the caller
//   1024   superblock
//   4096   the tar as it came, byte for byte; the files' content is read right there
//   ...    metadata: inodes with their attributes and small directories, then the large directories
//
// One file, one device, blocks of 512 bytes as the tar's; nothing is compressed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "archive/layer_tree.h"
#include "base/stream.h"

namespace proa::archive {

inline constexpr std::uint64_t kErofsTar = 4096;        // where the tar begins
inline constexpr std::size_t kErofsCallersPart = 1024;  // of the head

// Where the metadata begins: what is between the end of the tar and it are zeros.
std::uint64_t erofs_metadata_start(std::uint64_t tar_size);
// Writes the metadata of a fit tree to `to` and returns the head (the first 4096 bytes), the caller's part zero.
// The same tree gives the same bytes. `uuid`: 16 bytes; overlayfs tells lower file systems apart by it.
std::string write_erofs(const LayerTree& tree, std::uint64_t tar_size, std::string_view uuid, ByteSink& to);

}  // namespace proa::archive
