#include "api/system.h"

#include "api/container_fields.h"

namespace proa {

FIELDS(PluginsInfo, always("Volume", &T::volume), always("Network", &T::network),
       always("Authorization", &T::authorization), always("Log", &T::log));
FIELDS(IndexInfo, always("Name", &T::name), always("Mirrors", &T::mirrors), always("Secure", &T::secure),
       always("Official", &T::official));
FIELDS(RegistryInfo, always("InsecureRegistryCIDRs", &T::insecure_registry_cidrs),
       always("IndexConfigs", &T::index_configs), always("Mirrors", &T::mirrors));
FIELDS(RuntimeInfo, optional("path", &T::path), optional("runtimeArgs", &T::runtime_args),
       optional("status", &T::status));
FIELDS(SwarmInfo, always("NodeID", &T::node_id), always("NodeAddr", &T::node_addr),
       always("LocalNodeState", &T::local_node_state), always("ControlAvailable", &T::control_available),
       always("Error", &T::error), always("RemoteManagers", &T::remote_managers));
FIELDS(CommitInfo, always("ID", &T::id), optional("Expected", &T::expected));
FIELDS(AddressPool, always("Base", &T::base), always("Size", &T::size));
FIELDS(FirewallInfo, always("Driver", &T::driver), optional("Info", &T::info));
FIELDS(SystemInfo, always("ID", &T::id), always("Containers", &T::containers),
       always("ContainersRunning", &T::containers_running), always("ContainersPaused", &T::containers_paused),
       always("ContainersStopped", &T::containers_stopped), always("Images", &T::images), always("Driver", &T::driver),
       always("DriverStatus", &T::driver_status), always("Plugins", &T::plugins),
       always("MemoryLimit", &T::memory_limit), always("SwapLimit", &T::swap_limit),
       always("CpuCfsPeriod", &T::cpu_cfs_period), always("CpuCfsQuota", &T::cpu_cfs_quota),
       always("CPUShares", &T::cpu_shares), always("CPUSet", &T::cpu_set), always("PidsLimit", &T::pids_limit),
       always("IPv4Forwarding", &T::ipv4_forwarding), always("Debug", &T::debug), always("NFd", &T::nfd),
       always("OomKillDisable", &T::oom_kill_disable), always("NGoroutines", &T::ngoroutines),
       always("SystemTime", &T::system_time), always("LoggingDriver", &T::logging_driver),
       always("CgroupDriver", &T::cgroup_driver), optional("CgroupVersion", &T::cgroup_version),
       always("NEventsListener", &T::nevents_listener), always("KernelVersion", &T::kernel_version),
       always("OperatingSystem", &T::operating_system), always("OSVersion", &T::os_version),
       always("OSType", &T::os_type), always("Architecture", &T::architecture),
       always("IndexServerAddress", &T::index_server_address), always("RegistryConfig", &T::registry_config),
       always("NCPU", &T::ncpu), always("MemTotal", &T::mem_total), always("GenericResources", &T::generic_resources),
       always("DockerRootDir", &T::docker_root_dir), always("HttpProxy", &T::http_proxy),
       always("HttpsProxy", &T::https_proxy), always("NoProxy", &T::no_proxy), always("Name", &T::name),
       always("Labels", &T::labels), always("ExperimentalBuild", &T::experimental_build),
       always("ServerVersion", &T::server_version), always("Runtimes", &T::runtimes),
       always("DefaultRuntime", &T::default_runtime), always("Swarm", &T::swarm),
       always("LiveRestoreEnabled", &T::live_restore_enabled), always("Isolation", &T::isolation),
       always("InitBinary", &T::init_binary), always("ContainerdCommit", &T::containerd_commit),
       always("RuncCommit", &T::runc_commit), always("InitCommit", &T::init_commit),
       always("SecurityOptions", &T::security_options), optional("ProductLicense", &T::product_license),
       optional("DefaultAddressPools", &T::default_address_pools), optional("FirewallBackend", &T::firewall_backend),
       always("CDISpecDirs", &T::cdi_spec_dirs), optional("DiscoveredDevices", &T::discovered_devices),
       nullable("Warnings", &T::warnings));

FIELDS(VersionComponent, always("Name", &T::name), always("Version", &T::version), optional("Details", &T::details));
FIELDS(PlatformName, always("Name", &T::name));
FIELDS(SystemVersion, always("Platform", &T::platform), always("Components", &T::components),
       always("Version", &T::version), always("ApiVersion", &T::api_version),
       always("MinAPIVersion", &T::min_api_version), always("GitCommit", &T::git_commit),
       always("GoVersion", &T::go_version), always("Os", &T::os), always("Arch", &T::arch),
       always("KernelVersion", &T::kernel_version), optional("Experimental", &T::experimental),
       optional("BuildTime", &T::build_time));

namespace api {

Json to_json(const SystemInfo& value) { return json::encode(value); }
SystemInfo system_info_from_json(const Json& value) { return json::decode<SystemInfo>(value); }
Json to_json(const SystemVersion& value) { return json::encode(value); }
SystemVersion system_version_from_json(const Json& value) { return json::decode<SystemVersion>(value); }

}  // namespace api
}  // namespace proa
