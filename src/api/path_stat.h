// The X-Docker-Container-Path-Stat header of the archive endpoints: base64 of {name,size,mode,mtime,linkTarget}.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace proa::api {

// Go's os.FileMode bits of st_mode, and back (type and permissions, setuid, setgid, sticky).
std::uint32_t go_file_mode(mode_t mode);
mode_t mode_from_go(std::uint32_t mode);

struct PathStat {
  std::string name;
  std::int64_t size = 0;
  std::uint32_t mode = 0;  // Go's
  UnixNanos mtime = 0;
  std::string link_target;
};

std::string encode_path_stat(const PathStat& value);
PathStat decode_path_stat(std::string_view header);  // throws InvalidArgument

}  // namespace proa::api
