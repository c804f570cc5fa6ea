// Private to api/: the field tables of containers.h.
#pragma once

#include "api/containers.h"
#include "api/network_fields.h"

namespace proa {

FIELDS(HealthConfig, optional("Test", &T::test), optional("Interval", &T::interval), optional("Timeout", &T::timeout),
       optional("StartPeriod", &T::start_period), optional("StartInterval", &T::start_interval),
       optional("Retries", &T::retries));
FIELDS(ContainerConfig, always("Hostname", &T::hostname), always("Domainname", &T::domainname),
       always("User", &T::user), always("AttachStdin", &T::attach_stdin), always("AttachStdout", &T::attach_stdout),
       always("AttachStderr", &T::attach_stderr), optional("ExposedPorts", &T::exposed_ports), always("Tty", &T::tty),
       always("OpenStdin", &T::open_stdin), always("StdinOnce", &T::stdin_once), nullable("Env", &T::env),
       always("Cmd", &T::cmd), optional("Healthcheck", &T::healthcheck), optional("ArgsEscaped", &T::args_escaped),
       always("Image", &T::image), nullable("Volumes", &T::volumes), always("WorkingDir", &T::working_dir),
       always("Entrypoint", &T::entrypoint), optional("NetworkDisabled", &T::network_disabled),
       optional("MacAddress", &T::mac_address), always("OnBuild", &T::on_build), always("Labels", &T::labels),
       optional("StopSignal", &T::stop_signal), optional("StopTimeout", &T::stop_timeout),
       optional("Shell", &T::shell));
FIELDS(ContainerCreateResponse, always("Id", &T::id), always("Warnings", &T::warnings));
FIELDS(Port, optional("IP", &T::ip), always("PrivatePort", &T::private_port), optional("PublicPort", &T::public_port),
       always("Type", &T::type));
FIELDS(MountPoint, optional("Type", &T::type), optional("Name", &T::name), always("Source", &T::source),
       always("Destination", &T::destination), optional("Driver", &T::driver), always("Mode", &T::mode),
       always("RW", &T::rw), always("Propagation", &T::propagation));
FIELDS(GraphDriver, nullable("Data", &T::data), always("Name", &T::name));
FIELDS(SummaryHostConfig, optional("NetworkMode", &T::network_mode), optional("Annotations", &T::annotations));
FIELDS(HealthSummary, always("Status", &T::status), always("FailingStreak", &T::failing_streak));
FIELDS(SummaryNetworks, always("Networks", &T::networks));
FIELDS(ContainerSummary, always("Id", &T::id), always("Names", &T::names), always("Image", &T::image),
       always("ImageID", &T::image_id), always("Command", &T::command), always("Created", &T::created),
       always("Ports", &T::ports), optional("SizeRw", &T::size_rw), optional("SizeRootFs", &T::size_root_fs),
       always("Labels", &T::labels), always("State", &T::state), always("Status", &T::status),
       always("Health", &T::health), always("HostConfig", &T::host_config),
       always("NetworkSettings", &T::network_settings), always("Mounts", &T::mounts));
FIELDS(TopResponse, always("Processes", &T::processes), always("Titles", &T::titles));
FIELDS(WaitError, always("Message", &T::message));
FIELDS(WaitResult, always("StatusCode", &T::status_code), optional("Error", &T::error));
FIELDS(UpdateResponse, nullable("Warnings", &T::warnings));
FIELDS(FilesystemChange, always("Path", &T::path), always("Kind", &T::kind));
FIELDS(ContainersPruneReport, nullable("ContainersDeleted", &T::containers_deleted),
       always("SpaceReclaimed", &T::space_reclaimed));

}  // namespace proa
