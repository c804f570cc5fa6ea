#include "oci/runtime_spec.h"

#include "base/json_codec.h"

namespace proa::json {

using namespace oci;

#define PROA_FIELDS(Type, ...)                            \
  template <>                                             \
  struct Fields<Type> {                                   \
    using T = Type;                                       \
    static constexpr auto list = std::tuple{__VA_ARGS__}; \
  }

PROA_FIELDS(ConsoleSize, always("height", &T::height), always("width", &T::width));
PROA_FIELDS(User, always("uid", &T::uid), always("gid", &T::gid), optional("umask", &T::umask),
            optional("additionalGids", &T::additional_gids), optional("username", &T::username));
PROA_FIELDS(Capabilities, optional("bounding", &T::bounding), optional("effective", &T::effective),
            optional("inheritable", &T::inheritable), optional("permitted", &T::permitted),
            optional("ambient", &T::ambient));
PROA_FIELDS(Rlimit, always("type", &T::type), always("hard", &T::hard), always("soft", &T::soft));
PROA_FIELDS(IoPriority, always("class", &T::class_name), always("priority", &T::priority));
PROA_FIELDS(Scheduler, always("policy", &T::policy), optional("nice", &T::nice), optional("priority", &T::priority),
            optional("flags", &T::flags), optional("runtime", &T::runtime), optional("deadline", &T::deadline),
            optional("period", &T::period));
PROA_FIELDS(CpuAffinity, optional("initial", &T::initial), optional("final", &T::final));
PROA_FIELDS(Process, optional("terminal", &T::terminal), optional("consoleSize", &T::console_size),
            always("user", &T::user), optional("args", &T::args), optional("commandLine", &T::command_line),
            optional("env", &T::env), always("cwd", &T::cwd), optional("capabilities", &T::capabilities),
            optional("rlimits", &T::rlimits), optional("noNewPrivileges", &T::no_new_privileges),
            optional("apparmorProfile", &T::apparmor_profile), optional("oomScoreAdj", &T::oom_score_adj),
            optional("scheduler", &T::scheduler), optional("selinuxLabel", &T::selinux_label),
            optional("ioPriority", &T::io_priority), optional("execCPUAffinity", &T::exec_cpu_affinity));
PROA_FIELDS(Root, always("path", &T::path), optional("readonly", &T::readonly));
PROA_FIELDS(IdMapping, always("containerID", &T::container_id), always("hostID", &T::host_id),
            always("size", &T::size));
PROA_FIELDS(Mount, always("destination", &T::destination), optional("type", &T::type), optional("source", &T::source),
            optional("options", &T::options), optional("uidMappings", &T::uid_mappings),
            optional("gidMappings", &T::gid_mappings));
PROA_FIELDS(Hook, always("path", &T::path), optional("args", &T::args), optional("env", &T::env),
            optional("timeout", &T::timeout));
PROA_FIELDS(Hooks, optional("prestart", &T::prestart), optional("createRuntime", &T::create_runtime),
            optional("createContainer", &T::create_container), optional("startContainer", &T::start_container),
            optional("poststart", &T::poststart), optional("poststop", &T::poststop));
PROA_FIELDS(Namespace, always("type", &T::type), optional("path", &T::path));
PROA_FIELDS(Device, always("type", &T::type), always("path", &T::path), always("major", &T::major),
            always("minor", &T::minor), optional("fileMode", &T::file_mode), optional("uid", &T::uid),
            optional("gid", &T::gid));
PROA_FIELDS(DeviceRule, always("allow", &T::allow), optional("type", &T::type), optional("major", &T::major),
            optional("minor", &T::minor), optional("access", &T::access));
PROA_FIELDS(MemoryLimits, optional("limit", &T::limit), optional("reservation", &T::reservation),
            optional("swap", &T::swap), optional("kernel", &T::kernel), optional("kernelTCP", &T::kernel_tcp),
            optional("swappiness", &T::swappiness), optional("disableOOMKiller", &T::disable_oom_killer),
            optional("useHierarchy", &T::use_hierarchy), optional("checkBeforeUpdate", &T::check_before_update));
PROA_FIELDS(CpuLimits, optional("shares", &T::shares), optional("quota", &T::quota), optional("burst", &T::burst),
            optional("period", &T::period), optional("realtimeRuntime", &T::realtime_runtime),
            optional("realtimePeriod", &T::realtime_period), optional("cpus", &T::cpus), optional("mems", &T::mems),
            optional("idle", &T::idle));
PROA_FIELDS(PidsLimits, optional("limit", &T::limit));
PROA_FIELDS(WeightDevice, always("major", &T::major), always("minor", &T::minor), optional("weight", &T::weight),
            optional("leafWeight", &T::leaf_weight));
PROA_FIELDS(ThrottleDevice, always("major", &T::major), always("minor", &T::minor), always("rate", &T::rate));
PROA_FIELDS(BlockIoLimits, optional("weight", &T::weight), optional("leafWeight", &T::leaf_weight),
            optional("weightDevice", &T::weight_device),
            optional("throttleReadBpsDevice", &T::throttle_read_bps_device),
            optional("throttleWriteBpsDevice", &T::throttle_write_bps_device),
            optional("throttleReadIOPSDevice", &T::throttle_read_iops_device),
            optional("throttleWriteIOPSDevice", &T::throttle_write_iops_device));
PROA_FIELDS(HugepageLimit, always("pageSize", &T::page_size), always("limit", &T::limit));
PROA_FIELDS(InterfacePriority, always("name", &T::name), always("priority", &T::priority));
PROA_FIELDS(NetworkLimits, optional("classID", &T::class_id), optional("priorities", &T::priorities));
PROA_FIELDS(RdmaLimit, optional("hcaHandles", &T::hca_handles), optional("hcaObjects", &T::hca_objects));
PROA_FIELDS(Resources, optional("devices", &T::devices), optional("memory", &T::memory), optional("cpu", &T::cpu),
            optional("pids", &T::pids), optional("blockIO", &T::block_io),
            optional("hugepageLimits", &T::hugepage_limits), optional("network", &T::network),
            optional("rdma", &T::rdma), optional("unified", &T::unified));
PROA_FIELDS(SeccompArg, always("index", &T::index), always("value", &T::value), optional("valueTwo", &T::value_two),
            always("op", &T::op));
PROA_FIELDS(SeccompRule, always("names", &T::names), always("action", &T::action), optional("errnoRet", &T::errno_ret),
            optional("args", &T::args));
PROA_FIELDS(Seccomp, always("defaultAction", &T::default_action), optional("defaultErrnoRet", &T::default_errno_ret),
            optional("architectures", &T::architectures), optional("flags", &T::flags),
            optional("listenerPath", &T::listener_path), optional("listenerMetadata", &T::listener_metadata),
            optional("syscalls", &T::syscalls));
PROA_FIELDS(Personality, always("domain", &T::domain), optional("flags", &T::flags));
PROA_FIELDS(MemoryPolicy, always("mode", &T::mode), optional("nodes", &T::nodes), optional("flags", &T::flags));
PROA_FIELDS(IntelRdt, optional("closID", &T::clos_id), optional("l3CacheSchema", &T::l3_cache_schema),
            optional("memBwSchema", &T::mem_bw_schema), optional("schemata", &T::schemata),
            optional("enableMonitoring", &T::enable_monitoring));
PROA_FIELDS(NetDevice, optional("name", &T::name));
PROA_FIELDS(TimeOffset, optional("secs", &T::secs), optional("nanosecs", &T::nanosecs));
PROA_FIELDS(Linux, optional("uidMappings", &T::uid_mappings), optional("gidMappings", &T::gid_mappings),
            optional("sysctl", &T::sysctl), optional("resources", &T::resources),
            optional("cgroupsPath", &T::cgroups_path), optional("namespaces", &T::namespaces),
            optional("devices", &T::devices), optional("seccomp", &T::seccomp),
            optional("rootfsPropagation", &T::rootfs_propagation), optional("maskedPaths", &T::masked_paths),
            optional("readonlyPaths", &T::readonly_paths), optional("mountLabel", &T::mount_label),
            optional("intelRdt", &T::intel_rdt), optional("personality", &T::personality),
            optional("memoryPolicy", &T::memory_policy), optional("netDevices", &T::net_devices),
            optional("timeOffsets", &T::time_offsets));
PROA_FIELDS(Spec, always("ociVersion", &T::oci_version), always("process", &T::process), always("root", &T::root),
            optional("hostname", &T::hostname), optional("domainname", &T::domainname), optional("mounts", &T::mounts),
            optional("hooks", &T::hooks), optional("annotations", &T::annotations), always("linux", &T::linux));

#undef PROA_FIELDS

}  // namespace proa::json

namespace proa::oci {

Json to_json(const Spec& spec) { return json::encode(spec); }
Spec spec_from_json(const Json& value) { return json::decode<Spec>(value); }
Json to_json(const Process& process) { return json::encode(process); }
Process process_from_json(const Json& value) { return json::decode<Process>(value); }
Json to_json(const Resources& resources) { return json::encode(resources); }
Resources resources_from_json(const Json& value) { return json::decode<Resources>(value); }

}  // namespace proa::oci
