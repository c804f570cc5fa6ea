// `docker cp` and `docker export`: paths inside a container, running or stopped, through its own root only.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "api/path_stat.h"
#include "base/stream.h"
#include "engine/streams.h"

namespace proa::engine {

struct Rooms;

struct PutArchiveOptions {
  bool no_overwrite_dir_non_dir = false;
  bool copy_uid_gid = false;
};

class Archive {
 public:
  explicit Archive(Rooms& rooms) : rooms_(rooms) {}

  api::PathStat stat(std::string_view reference, std::string_view path) const;
  // `begin` is called with the stat for the header X-Docker-Container-Path-Stat.
  void get(std::string_view reference, std::string_view path,
           const std::function<Sink(const api::PathStat&)>& begin) const;
  void put(std::string_view reference, std::string_view path, const PutArchiveOptions& options, ByteSource& tar) const;
  void export_root(std::string_view reference, const Begin& begin) const;

 private:
  Rooms& rooms_;
};

}  // namespace proa::engine
