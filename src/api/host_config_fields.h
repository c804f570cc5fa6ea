// Private to api/: the field tables of host_config.h. Dear to compile; only for .cc files.
#pragma once

#include "api/host_config.h"
#include "base/json_codec.h"

// FIELDS(Type, field, ...): the table of api::Type.
#define FIELDS(TYPE, ...)                                 \
  template <>                                             \
  struct json::Fields<api::TYPE> {                        \
    using T = api::TYPE;                                  \
    static constexpr auto list = std::tuple{__VA_ARGS__}; \
  }

namespace proa {

using json::always;
using json::nullable;
using json::optional;

FIELDS(Empty);
FIELDS(WeightDevice, always("Path", &T::path), always("Weight", &T::weight));
FIELDS(ThrottleDevice, always("Path", &T::path), always("Rate", &T::rate));
FIELDS(DeviceMapping, always("PathOnHost", &T::path_on_host), always("PathInContainer", &T::path_in_container),
       always("CgroupPermissions", &T::cgroup_permissions));
FIELDS(DeviceRequest, always("Driver", &T::driver), always("Count", &T::count), nullable("DeviceIDs", &T::device_ids),
       nullable("Capabilities", &T::capabilities), nullable("Options", &T::options));
FIELDS(Ulimit, always("Name", &T::name), always("Hard", &T::hard), always("Soft", &T::soft));
FIELDS(LogConfig, always("Type", &T::type), always("Config", &T::config));
FIELDS(PortBinding, always("HostIp", &T::host_ip), always("HostPort", &T::host_port));
FIELDS(RestartPolicy, always("Name", &T::name), always("MaximumRetryCount", &T::maximum_retry_count));
FIELDS(BindOptions, optional("Propagation", &T::propagation), optional("NonRecursive", &T::non_recursive),
       optional("CreateMountpoint", &T::create_mountpoint),
       optional("ReadOnlyNonRecursive", &T::read_only_non_recursive),
       optional("ReadOnlyForceRecursive", &T::read_only_force_recursive));
FIELDS(VolumeDriver, optional("Name", &T::name), optional("Options", &T::options));
FIELDS(VolumeOptions, optional("NoCopy", &T::no_copy), optional("Labels", &T::labels), optional("Subpath", &T::subpath),
       optional("DriverConfig", &T::driver_config));
FIELDS(ImageOptions, optional("Subpath", &T::subpath));
FIELDS(TmpfsOptions, optional("SizeBytes", &T::size_bytes), optional("Mode", &T::mode),
       optional("Options", &T::options));
FIELDS(Mount, optional("Type", &T::type), optional("Source", &T::source), optional("Target", &T::target),
       optional("ReadOnly", &T::read_only), optional("Consistency", &T::consistency),
       optional("BindOptions", &T::bind_options), optional("VolumeOptions", &T::volume_options),
       optional("ImageOptions", &T::image_options), optional("TmpfsOptions", &T::tmpfs_options));

template <>
struct json::Fields<api::Resources> {
  using T = api::Resources;
  static constexpr auto list = std::tuple{always("CpuShares", &T::cpu_shares),
                                          always("Memory", &T::memory),
                                          always("NanoCpus", &T::nano_cpus),
                                          always("CgroupParent", &T::cgroup_parent),
                                          always("BlkioWeight", &T::blkio_weight),
                                          always("BlkioWeightDevice", &T::blkio_weight_device),
                                          always("BlkioDeviceReadBps", &T::blkio_device_read_bps),
                                          always("BlkioDeviceWriteBps", &T::blkio_device_write_bps),
                                          always("BlkioDeviceReadIOps", &T::blkio_device_read_iops),
                                          always("BlkioDeviceWriteIOps", &T::blkio_device_write_iops),
                                          always("CpuPeriod", &T::cpu_period),
                                          always("CpuQuota", &T::cpu_quota),
                                          always("CpuRealtimePeriod", &T::cpu_realtime_period),
                                          always("CpuRealtimeRuntime", &T::cpu_realtime_runtime),
                                          always("CpusetCpus", &T::cpuset_cpus),
                                          always("CpusetMems", &T::cpuset_mems),
                                          always("Devices", &T::devices),
                                          nullable("DeviceCgroupRules", &T::device_cgroup_rules),
                                          nullable("DeviceRequests", &T::device_requests),
                                          optional("KernelMemoryTCP", &T::kernel_memory_tcp),
                                          always("MemoryReservation", &T::memory_reservation),
                                          always("MemorySwap", &T::memory_swap),
                                          always("MemorySwappiness", &T::memory_swappiness),
                                          always("OomKillDisable", &T::oom_kill_disable),
                                          always("PidsLimit", &T::pids_limit),
                                          always("Ulimits", &T::ulimits),
                                          always("CpuCount", &T::cpu_count),
                                          always("CpuPercent", &T::cpu_percent),
                                          always("IOMaximumIOps", &T::io_maximum_iops),
                                          always("IOMaximumBandwidth", &T::io_maximum_bandwidth)};
};

template <>
struct json::Fields<api::HostConfig> {
  using T = api::HostConfig;
  static constexpr auto before = std::tuple{nullable("Binds", &T::binds),
                                            always("ContainerIDFile", &T::container_id_file),
                                            always("LogConfig", &T::log_config),
                                            always("NetworkMode", &T::network_mode),
                                            always("PortBindings", &T::port_bindings),
                                            always("RestartPolicy", &T::restart_policy),
                                            always("AutoRemove", &T::auto_remove),
                                            always("VolumeDriver", &T::volume_driver),
                                            nullable("VolumesFrom", &T::volumes_from),
                                            always("ConsoleSize", &T::console_size),
                                            optional("Annotations", &T::annotations),
                                            optional("Umask", &T::umask),
                                            nullable("CapAdd", &T::cap_add),
                                            nullable("CapDrop", &T::cap_drop),
                                            always("CgroupnsMode", &T::cgroupns_mode),
                                            always("Dns", &T::dns),
                                            always("DnsOptions", &T::dns_options),
                                            always("DnsSearch", &T::dns_search),
                                            nullable("ExtraHosts", &T::extra_hosts),
                                            nullable("GroupAdd", &T::group_add),
                                            always("IpcMode", &T::ipc_mode),
                                            always("Cgroup", &T::cgroup),
                                            nullable("Links", &T::links),
                                            always("OomScoreAdj", &T::oom_score_adj),
                                            always("PidMode", &T::pid_mode),
                                            always("Privileged", &T::privileged),
                                            always("PublishAllPorts", &T::publish_all_ports),
                                            always("ReadonlyRootfs", &T::readonly_rootfs),
                                            nullable("SecurityOpt", &T::security_opt),
                                            optional("StorageOpt", &T::storage_opt),
                                            optional("Tmpfs", &T::tmpfs),
                                            always("UTSMode", &T::uts_mode),
                                            always("UsernsMode", &T::userns_mode),
                                            always("ShmSize", &T::shm_size),
                                            optional("Sysctls", &T::sysctls),
                                            always("Runtime", &T::runtime),
                                            always("Isolation", &T::isolation)};
  static constexpr auto after = std::tuple{optional("Mounts", &T::mounts), always("MaskedPaths", &T::masked_paths),
                                           always("ReadonlyPaths", &T::readonly_paths), optional("Init", &T::init)};
  static constexpr auto list = std::tuple_cat(before, json::Fields<api::Resources>::list, after);
};

template <>
struct json::Fields<api::UpdateConfig> {
  static constexpr auto list = std::tuple_cat(json::Fields<api::Resources>::list,
                                              std::tuple{always("RestartPolicy", &api::UpdateConfig::restart_policy)});
};

}  // namespace proa
