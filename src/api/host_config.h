// HostConfig: how a container is to be run on this host (swagger v1.56), and the resources that update may change.
// size: one document of the Engine API, field by field.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace proa::api {

using Strings = std::vector<std::string>;
using StringMap = std::map<std::string, std::string>;

struct Empty {};                                 // Go's struct{}, the value of a set
using StringSet = std::map<std::string, Empty>;  // {"80/tcp": {}}

struct WeightDevice {
  std::string path;
  std::uint16_t weight = 0;
};
struct ThrottleDevice {
  std::string path;
  std::uint64_t rate = 0;
};
struct DeviceMapping {
  std::string path_on_host, path_in_container, cgroup_permissions;
};
struct DeviceRequest {
  std::string driver;
  std::int64_t count = 0;
  Strings device_ids;
  std::vector<Strings> capabilities;
  StringMap options;
};
struct Ulimit {
  std::string name;
  std::int64_t soft = 0, hard = 0;
};

struct Resources {
  std::int64_t cpu_shares = 0, memory = 0, nano_cpus = 0;
  std::string cgroup_parent;
  std::uint16_t blkio_weight = 0;
  std::vector<WeightDevice> blkio_weight_device;
  std::vector<ThrottleDevice> blkio_device_read_bps, blkio_device_write_bps, blkio_device_read_iops,
      blkio_device_write_iops;
  std::int64_t cpu_period = 0, cpu_quota = 0, cpu_realtime_period = 0, cpu_realtime_runtime = 0;
  std::string cpuset_cpus, cpuset_mems;
  std::vector<DeviceMapping> devices;
  Strings device_cgroup_rules;
  std::vector<DeviceRequest> device_requests;
  std::int64_t kernel_memory_tcp = 0, memory_reservation = 0, memory_swap = 0;
  std::optional<std::int64_t> memory_swappiness;
  std::optional<bool> oom_kill_disable;
  std::optional<std::int64_t> pids_limit;  // 0 and -1: no limit
  std::vector<Ulimit> ulimits;
  std::int64_t cpu_count = 0, cpu_percent = 0, io_maximum_bandwidth = 0;
  std::uint64_t io_maximum_iops = 0;
};

// The limits of single disks, but for their weights.
inline constexpr auto kThrottles = {&Resources::blkio_device_read_bps, &Resources::blkio_device_write_bps,
                                    &Resources::blkio_device_read_iops, &Resources::blkio_device_write_iops};

struct LogConfig {
  std::string type;
  StringMap config;
};
struct PortBinding {
  std::string host_ip, host_port;
};
// null where a port is exposed but not published
using PortMap = std::map<std::string, std::optional<std::vector<PortBinding>>>;

struct RestartPolicy {
  std::string name;  // "", "no", "always", "unless-stopped", "on-failure"
  int maximum_retry_count = 0;
};

struct BindOptions {
  std::string propagation;
  bool non_recursive = false, create_mountpoint = false, read_only_non_recursive = false,
       read_only_force_recursive = false;
};
struct VolumeDriver {
  std::string name;
  StringMap options;
};
struct VolumeOptions {
  bool no_copy = false;
  StringMap labels;
  std::string subpath;
  std::optional<VolumeDriver> driver_config;
};
struct ImageOptions {
  std::string subpath;
};
struct TmpfsOptions {
  std::int64_t size_bytes = 0;
  std::uint32_t mode = 0;
  std::vector<Strings> options;
};
struct Mount {                       // --mount
  std::string type, source, target;  // type: bind, volume, tmpfs, image, npipe, cluster
  bool read_only = false;
  std::string consistency;
  std::optional<BindOptions> bind_options;
  std::optional<VolumeOptions> volume_options;
  std::optional<ImageOptions> image_options;
  std::optional<TmpfsOptions> tmpfs_options;
};

struct HostConfig : Resources {
  Strings binds;
  std::string container_id_file;
  LogConfig log_config;
  std::string network_mode;
  PortMap port_bindings;
  RestartPolicy restart_policy;
  bool auto_remove = false;
  std::string volume_driver;
  Strings volumes_from;
  std::vector<std::uint32_t> console_size = {0, 0};  // height, width
  StringMap annotations;
  std::optional<std::uint32_t> umask;  // since 1.56
  Strings cap_add, cap_drop;
  std::string cgroupns_mode;
  Strings dns, dns_options, dns_search, extra_hosts, group_add;
  std::string ipc_mode, cgroup;
  Strings links;
  int oom_score_adj = 0;
  std::string pid_mode;
  bool privileged = false, publish_all_ports = false, readonly_rootfs = false;
  Strings security_opt;
  StringMap storage_opt, tmpfs;
  std::string uts_mode, userns_mode;
  std::int64_t shm_size = 0;
  StringMap sysctls;
  std::string runtime, isolation;
  std::vector<Mount> mounts;
  std::optional<Strings> masked_paths, readonly_paths;  // null: the defaults; []: none
  std::optional<bool> init;
};

// POST /containers/{id}/update
struct UpdateConfig : Resources {
  RestartPolicy restart_policy;
};

Json to_json(const HostConfig& value);
HostConfig host_config_from_json(const Json& value);
Json to_json(const UpdateConfig& value);
UpdateConfig update_config_from_json(const Json& value);

}  // namespace proa::api
