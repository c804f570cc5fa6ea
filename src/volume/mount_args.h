// Bind strings, mount structs, tmpfs options and image volumes -> one checked list of mount points (pure).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace proa::volume {

enum class Type { Bind, Volume, Tmpfs };
std::string_view to_string(Type type);

struct MountPoint {
  Type type = Type::Volume;
  std::string source;       // host path of a bind; filled in for volumes when they are resolved
  std::string name;         // of the volume; "" asks for an anonymous one
  std::string destination;  // absolute and clean
  std::string driver;       // of the volume; "" is local
  bool read_write = true;
  bool create_source = false;  // -v makes a missing host directory, --mount does not
  bool no_copy = false;        // no copy-up from the image
  bool anonymous = false;
  bool non_recursive = false;            // rbind or bind
  bool read_only_non_recursive = false;  // only the top is read-only
  bool read_only_force_recursive = false;
  std::string mode;                                   // "z", "ro" ... as given, for inspect
  std::string propagation;                            // "rprivate", "rshared"...; "" is the default
  std::string subpath;                                // within a volume
  std::map<std::string, std::string> labels;          // of a volume to create
  std::map<std::string, std::string> driver_options;  // of a volume to create
  std::int64_t tmpfs_size = 0;
  std::uint32_t tmpfs_mode = 0;
  std::string tmpfs_options;  // --tmpfs dst:options as given
  bool from_mounts = false;   // given as a Mount struct
};

// `-v [src:]dst[:options]`. Throws InvalidArgument with docker's texts.
MountPoint parse_bind(std::string_view spec, std::string_view volume_driver);

// What `--mount` said, as it is in the request.
struct MountRequest {
  std::string type, source, target, consistency;
  bool read_only = false;
  std::string bind_propagation;
  bool bind_non_recursive = false, bind_create_source = false, bind_read_only_non_recursive = false,
       bind_read_only_force_recursive = false;
  bool has_bind_options = false, has_volume_options = false, has_tmpfs_options = false;
  bool volume_no_copy = false;
  std::string volume_subpath, volume_driver;
  std::map<std::string, std::string> volume_labels, volume_driver_options;
  std::int64_t tmpfs_size = 0;
  std::uint32_t tmpfs_mode = 0;
};
// `source_exists` answers for bind sources (a seam for tests).
MountPoint check_mount(const MountRequest& request, bool (*source_exists)(const std::string& path));

// "id[:ro|rw|z|Z]"
struct VolumesFrom {
  std::string container;
  bool read_write = true;
};
VolumesFrom parse_volumes_from(std::string_view spec);

struct MountArguments {
  std::vector<std::string> binds;
  std::vector<MountRequest> mounts;
  std::map<std::string, std::string> tmpfs;  // destination -> options
  std::vector<std::string> declared;         // the image's and the container's VOLUME paths
  std::vector<MountPoint> from;              // of --volumes-from, already resolved
  std::string volume_driver;
};
// Order of precedence as docker's: volumes-from < binds and mounts; declared volumes fill what is left. Throws
// `Duplicate mount point: /x` where two of one kind collide.
std::vector<MountPoint> plan_mount_points(const MountArguments& arguments,
                                          bool (*source_exists)(const std::string& path));

// Volume names as docker's: [a-zA-Z0-9][a-zA-Z0-9_.-]+. Throws InvalidArgument.
void check_volume_name(std::string_view name);

}  // namespace proa::volume
