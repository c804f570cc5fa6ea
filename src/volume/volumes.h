// Named and anonymous volumes of the local driver: D/volumes/<name>/_data.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/sync.h"
#include "base/time.h"
#include "os/rooted_dir.h"
#include "store/database.h"

namespace proa::volume {

struct VolumeRecord {
  std::string name;
  std::string driver = "local";
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> options;
  UnixNanos created_at = 0;
  bool anonymous = false;
};

struct CreateVolume {
  std::string name;  // "": an anonymous one
  std::string driver;
  std::map<std::string, std::string> labels, options;
  bool anonymous = false;  // made for a container without a name
};

class Volumes {
 public:
  Volumes(store::Database& database, std::string data_root);

  // The one that is there if name and driver are the same. Throws Conflict, InvalidArgument.
  VolumeRecord create(const CreateVolume& request);
  std::optional<VolumeRecord> find(std::string_view name) const;
  VolumeRecord get(std::string_view name) const;  // throws NotFound: "get x: no such volume"
  std::vector<VolumeRecord> list() const;         // by name
  // Throws Conflict where containers use it: "remove x: volume is in use - [ids]".
  void remove(std::string_view name, bool force);
  std::string mountpoint(std::string_view name) const;     // D/volumes/<name>/_data
  std::uint64_t disk_usage(std::string_view name) const;   // bytes of its files, as docker counts them
  std::uint64_t disk_blocks(std::string_view name) const;  // on this disk, as du does

  // Containers that name it, from create to remove.
  void hold(std::string_view name, const std::string& container_id);
  void release(std::string_view name, const std::string& container_id);
  std::set<std::string> users(std::string_view name) const;

  // Mounts what the options ask for (type, o, device) while a container runs; the host path to bind.
  std::string mount(std::string_view name, const std::string& container_id);
  void unmount(std::string_view name, const std::string& container_id);

  // Copies what the image has under `path` into the volume if that is empty (security.md row 52): owner and mode of
  // the directory too. Both sides are walked by descriptors that cannot leave their roots.
  void copy_up(std::string_view name, const os::RootedDir& image_root, std::string_view path);

  // Removes directories that no row owns, finishes what a death cut.
  void recover();
  bool owns(std::string_view name) const;  // D/volumes/<name>

 private:
  struct State {
    std::map<std::string, VolumeRecord, std::less<>> records;
    std::map<std::string, std::set<std::string>, std::less<>> users;
    std::map<std::string, std::set<std::string>, std::less<>> mounted;
  };

  store::Database& database_;
  std::string root_;   // D/volumes
  std::string trash_;  // D/trash
  mutable Sync<State> state_;
};

}  // namespace proa::volume
