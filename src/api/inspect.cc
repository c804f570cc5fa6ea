#include "api/inspect.h"

#include "api/container_fields.h"

namespace proa {

FIELDS(HealthLogEntry, always("Start", &T::start), always("End", &T::end), always("ExitCode", &T::exit_code),
       always("Output", &T::output));
FIELDS(Health, always("Status", &T::status), always("FailingStreak", &T::failing_streak), nullable("Log", &T::log));
FIELDS(ContainerState, always("Status", &T::status), always("Running", &T::running), always("Paused", &T::paused),
       always("Restarting", &T::restarting), always("OOMKilled", &T::oom_killed), always("Dead", &T::dead),
       always("Pid", &T::pid), always("ExitCode", &T::exit_code), always("Error", &T::error),
       always("StartedAt", &T::started_at), always("FinishedAt", &T::finished_at), optional("Health", &T::health));
FIELDS(Address, always("Addr", &T::addr), always("PrefixLen", &T::prefix_len));
FIELDS(NetworkSettings, always("Bridge", &T::bridge), always("SandboxID", &T::sandbox_id),
       always("SandboxKey", &T::sandbox_key), always("Ports", &T::ports), always("HairpinMode", &T::hairpin_mode),
       always("LinkLocalIPv6Address", &T::link_local_ipv6_address),
       always("LinkLocalIPv6PrefixLen", &T::link_local_ipv6_prefix_len),
       always("SecondaryIPAddresses", &T::secondary_ip_addresses),
       always("SecondaryIPv6Addresses", &T::secondary_ipv6_addresses), always("EndpointID", &T::endpoint_id),
       always("Gateway", &T::gateway), always("GlobalIPv6Address", &T::global_ipv6_address),
       always("GlobalIPv6PrefixLen", &T::global_ipv6_prefix_len), always("IPAddress", &T::ip_address),
       always("IPPrefixLen", &T::ip_prefix_len), always("IPv6Gateway", &T::ipv6_gateway),
       always("MacAddress", &T::mac_address), always("Networks", &T::networks));
FIELDS(ContainerInspect, always("Id", &T::id), always("Created", &T::created), always("Path", &T::path),
       always("Args", &T::args), always("State", &T::state), always("Image", &T::image),
       always("ResolvConfPath", &T::resolv_conf_path), always("HostnamePath", &T::hostname_path),
       always("HostsPath", &T::hosts_path), always("LogPath", &T::log_path), always("Name", &T::name),
       always("RestartCount", &T::restart_count), always("Driver", &T::driver), always("Platform", &T::platform),
       always("MountLabel", &T::mount_label), always("ProcessLabel", &T::process_label),
       always("AppArmorProfile", &T::app_armor_profile), always("ExecIDs", &T::exec_ids),
       always("HostConfig", &T::host_config), always("GraphDriver", &T::graph_driver), optional("SizeRw", &T::size_rw),
       optional("SizeRootFs", &T::size_root_fs), always("Mounts", &T::mounts), always("Config", &T::config),
       always("NetworkSettings", &T::network_settings));

FIELDS(ExecConfig, always("User", &T::user), always("Privileged", &T::privileged), always("Tty", &T::tty),
       optional("ConsoleSize", &T::console_size), always("AttachStdin", &T::attach_stdin),
       always("AttachStderr", &T::attach_stderr), always("AttachStdout", &T::attach_stdout),
       optional("Detach", &T::detach), always("DetachKeys", &T::detach_keys), nullable("Env", &T::env),
       always("WorkingDir", &T::working_dir), always("Cmd", &T::cmd));
FIELDS(ExecCreateResponse, always("Id", &T::id));
FIELDS(ExecStart, always("Detach", &T::detach), always("Tty", &T::tty), optional("ConsoleSize", &T::console_size));
FIELDS(ExecProcess, always("tty", &T::tty), always("entrypoint", &T::entrypoint), always("arguments", &T::arguments),
       optional("privileged", &T::privileged), optional("user", &T::user));
FIELDS(ExecInspect, always("ID", &T::id), always("Running", &T::running), always("ExitCode", &T::exit_code),
       always("ProcessConfig", &T::process_config), always("OpenStdin", &T::open_stdin),
       always("OpenStderr", &T::open_stderr), always("OpenStdout", &T::open_stdout),
       always("CanRemove", &T::can_remove), always("ContainerID", &T::container_id),
       always("DetachKeys", &T::detach_keys), always("Pid", &T::pid));

namespace api {

Json to_json(const ContainerState& value) { return json::encode(value); }
ContainerState container_state_from_json(const Json& value) { return json::decode<ContainerState>(value); }
Json to_json(const NetworkSettings& value) { return json::encode(value); }
Json to_json(const ContainerInspect& value) { return json::encode(value); }
ContainerInspect container_inspect_from_json(const Json& value) { return json::decode<ContainerInspect>(value); }
Json to_json(const ExecConfig& value) { return json::encode(value); }
ExecConfig exec_config_from_json(const Json& value) {
  if (const Json* cmd = json::find(value, "Cmd"); cmd && cmd->is_string()) {
    Json changed = value;
    changed.get_object()["Cmd"] = JsonArray{*cmd};
    return json::decode<ExecConfig>(changed);
  }
  return json::decode<ExecConfig>(value);
}
Json to_json(const ExecCreateResponse& value) { return json::encode(value); }
ExecCreateResponse exec_create_response_from_json(const Json& value) { return json::decode<ExecCreateResponse>(value); }
Json to_json(const ExecStart& value) { return json::encode(value); }
ExecStart exec_start_from_json(const Json& value) { return json::decode<ExecStart>(value); }
Json to_json(const ExecInspect& value) { return json::encode(value); }
ExecInspect exec_inspect_from_json(const Json& value) { return json::decode<ExecInspect>(value); }

}  // namespace api
}  // namespace proa
