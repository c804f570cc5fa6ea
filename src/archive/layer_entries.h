// Archives and directory trees, one into the other, by descriptors inside a root that cannot be left (security.md
// R1, 4.2).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "archive/tar_reader.h"
#include "archive/tar_writer.h"
#include "os/rooted_dir.h"

namespace proa::archive {

enum class Whiteouts {
  Overlay,  // ".wh.x" becomes overlayfs's device 0:0, ".wh..wh..opq" its xattr: a layer
  Delete,   // they delete what is there: changes applied in place
  Keep,     // they are names like any other: docker cp
};

struct Owner {
  std::uint32_t uid = 0, gid = 0;
};

struct ExtractOptions {
  Whiteouts whiteouts = Whiteouts::Overlay;
  std::string base = {};  // a directory in the root that entries are relative to; links are still resolved in the root
  std::optional<Owner> owner = {};  // instead of the archive's
  bool no_overwrite_dir_non_dir =
      false;  // a directory and a non-directory do not replace each other: Error(InvalidArgument)
};

struct ExtractResult {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  // of file content written
  std::uint64_t disk = 0;   // the same and directories, in whole blocks
};

// Unpacks all of `from` into `root`. Entries that would leave it are contained or refused by the verdicts of
// security.md 4.2; Errors name the entry. What was unpacked before an Error stays: the caller removes it.
ExtractResult extract(TarReader& from, const os::RootedDir& root, const ExtractOptions& options,
                      std::stop_token stop = {});

// An overlay whiteout, and the opaque mark, in a layer's directory.
inline constexpr std::string_view kOpaqueXattr = "trusted.overlay.opaque";

struct PackOptions {
  std::string path = "/";  // what is packed, resolved in the root (its last component is not followed)
  std::string name =
      {};  // the top entry's name in the archive ("" : its children have relative names, it has none itself)
  std::function<bool(std::string_view relative)> skip = {};  // not descended into
  bool cross_devices = true;                                 // what is mounted below too
  bool overlay_marks = false;                                // overlayfs's whiteouts and opaque marks become a layer's
};

// Writes the tree below `path` in `root` to `to`, sorted, hard links as such. Sockets are left out. Not finish()ed.
void pack(const os::RootedDir& root, const PackOptions& options, TarWriter& to, std::stop_token stop = {});

}  // namespace proa::archive
