// One member of a tar archive, as read and as written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace proa::archive {

enum class EntryType { File, HardLink, Symlink, CharDevice, BlockDevice, Directory, Fifo };
std::string_view to_string(EntryType type);  // "file", "hard link", ...

struct SparseRegion {
  std::uint64_t offset = 0, length = 0;
};

struct TarEntry {
  std::string path = {};  // as in the archive: may start with "./" or "/", end with "/", contain ".."
  EntryType type = EntryType::File;
  std::string link_target = {};  // HardLink, Symlink
  std::uint32_t mode = 0;        // permission bits with setuid, setgid, sticky
  std::uint32_t uid = 0, gid = 0;
  std::string user = {}, group = {};
  std::int64_t mtime = 0;         // seconds since 1970
  std::uint32_t mtime_nanos = 0;  // 0..999999999
  std::uint64_t size = 0;         // of the file, holes included; 0 for what has no content
  std::uint32_t device_major = 0, device_minor = 0;
  std::vector<std::pair<std::string, std::string>> xattrs = {};  // name (with namespace) and value
  bool is_sparse = false;
  std::vector<SparseRegion> sparse = {};  // where the stored bytes belong; in order, without overlap
};

}  // namespace proa::archive
