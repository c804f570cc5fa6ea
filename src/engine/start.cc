// Lifecycle::start: one page, one Rollback. Nothing here waits for anything but the shim's one reply.
#include <fcntl.h>

#include <algorithm>

#include "base/failpoint.h"
#include "base/id.h"
#include "base/rollback.h"
#include "base/text.h"
#include "base/trace.h"
#include "base/units.h"
#include "engine/apparmor.h"
#include "engine/attach.h"
#include "engine/bind_propagation.h"
#include "engine/companions.h"
#include "engine/containers.h"
#include "engine/devices.h"
#include "engine/etc_changes.h"
#include "engine/event_attributes.h"
#include "engine/exits.h"
#include "engine/explain.h"
#include "engine/health.h"
#include "engine/housekeeping.h"
#include "engine/launcher.h"
#include "engine/lifecycle.h"
#include "engine/links.h"
#include "engine/log_reader.h"
#include "engine/monitor.h"
#include "engine/network_requests.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "engine/seccomp_filters.h"
#include "engine/security_options.h"
#include "engine/spec_builder.h"
#include "engine/start_error.h"
#include "engine/workers.h"
#include "image/snapshots.h"
#include "network/etc_files.h"
#include "network/networks.h"
#include "os/file.h"
#include "os/own_program.h"
#include "shim/detach_keys.h"
#include "shim/seccomp_filter.h"
#include "volume/volumes.h"

namespace proa::engine {
namespace {

std::string container_dir(const Rooms& rooms, const std::string& id) { return os::path_join(rooms.containers_dir, id); }

// Host paths for volumes and binds; what the image has where an empty volume goes is copied into it.
std::vector<volume::MountPoint> prepare_mounts(Rooms& rooms, const Definition& definition, const os::RootedDir& root,
                                               Rollback& rollback) {
  auto points = definition.mounts;
  if (points.empty()) return points;
  trace::Span span("engine.mounts");
  for (auto& point : points) {
    if (point.type == volume::Type::Bind) {
      if (!os::exists(point.source)) {
        if (!point.create_source) {
          throw Error(ErrorKind::InvalidArgument,
                      cat("invalid mount config for type \"bind\": bind source path does not exist: ", point.source));
        }
        os::make_dirs(point.source, 0755);
      }
    } else if (point.type == volume::Type::Volume) {
      point.source = rooms.volumes->mount(point.name, definition.id);
      rollback.add([&rooms, name = point.name, id = definition.id] { rooms.volumes->unmount(name, id); });
      if (!point.no_copy && point.subpath.empty()) rooms.volumes->copy_up(point.name, root, point.destination);
      if (!point.subpath.empty()) {
        auto volume_root = os::RootedDir::open(point.source);
        auto sub = volume_root.open_at(point.subpath, O_PATH);
        point.source = os::path_join(point.source, point.subpath);
      }
    }
  }
  check_propagation(points);
  return points;
}

// The network part of a start: what the spec and the files in /etc need of it.
struct NetworkPart {
  network::Sandbox sandbox;
  std::string path;  // for the spec; "host" for the host's
  network::Resolver resolver = network::Resolver::Default;
  ContainerPtr shared_with;  // --network container:X
};

NetworkPart connect_network(Rooms& rooms, const Definition& definition, Rollback& rollback) {
  trace::Span span("engine.network");
  const auto& mode = definition.host_config.network_mode;
  span.set("mode", mode);
  NetworkPart part;
  if (joins_container(mode)) {
    part.shared_with = network_companion(*rooms.roster, definition);
    part.path = cat("/proc/", part.shared_with->state().pid, "/ns/net");
    return part;
  }
  if (mode == "host") {
    part.path = "host";
    part.resolver = network::Resolver::Host;
    return part;
  }
  network::SandboxRequest request;
  request.container_id = definition.id;
  request.container_name = definition.name;
  request.hostname = definition.config.hostname;
  request.dns = definition.host_config.dns;
  if (mode != "none" && !definition.config.network_disabled) {
    bool first = true;
    for (const auto& [name, endpoint] : definition.networks) {
      request.endpoints.push_back(endpoint_request(name, endpoint, definition, first));
      first = false;
    }
    request.ports = port_mappings(definition);
  }
  part.sandbox =
      in_context("failed to set up container networking", [&] { return rooms.networks->connect_new(request); });
  rollback.add([&rooms, id = definition.id] { rooms.networks->release(id); });
  if (part.sandbox.embedded_dns) part.resolver = network::Resolver::Embedded;
  return part;
}

struct EtcFiles {
  std::string hosts, hostname, resolv_conf;
};

EtcFiles write_etc_files(const Rooms& rooms, const Definition& definition, const NetworkPart& part, Linked linked) {
  trace::Span span("engine.etc_files");
  auto dir = container_dir(rooms, part.shared_with ? part.shared_with->id() : definition.id);
  EtcFiles files{os::path_join(dir, "hosts"), os::path_join(dir, "hostname"), os::path_join(dir, "resolv.conf")};
  if (part.shared_with) return files;
  const auto& host = definition.host_config;
  network::HostsInput hosts;
  hosts.hostname = definition.config.hostname;
  hosts.domainname = definition.config.domainname;
  hosts.extra_hosts = host.extra_hosts;
  hosts.links = std::move(linked.hosts);
  hosts.host_gateway =
      rooms.config->host_gateway_ip.empty() ? rooms.networks->host_gateway() : rooms.config->host_gateway_ip;
  for (const auto& endpoint : part.sandbox.endpoints) {
    if (!endpoint.ipv4.empty()) hosts.addresses.push_back(endpoint.ipv4);
    if (!endpoint.ipv6.empty()) hosts.addresses.push_back(endpoint.ipv6);
  }
  os::write_file(files.hosts,
                 part.path == "host"
                     ? network::render_host_mode_hosts(os::try_read_file("/etc/hosts").value_or(""), hosts)
                     : network::render_hosts(hosts),
                 0644);
  os::write_file(files.hostname, network::render_hostname(definition.config.hostname), 0644);
  os::write_file(files.resolv_conf, network::render_resolv_conf(resolv_input(rooms, host, part.resolver)), 0644);
  return files;
}

void fill_log_options(const Rooms& rooms, const Definition& definition, shim::LogOptions& log) {
  const auto& given = definition.host_config.log_config;
  log.driver = given.type == "none" ? "none" : "json-file";
  log.path = os::path_join(container_dir(rooms, definition.id), log_file_name(definition.id));
  for (const auto& [key, value] : given.config) {
    if (key == "max-size") log.max_size = value == "-1" ? -1 : parse_ram_bytes(value).value_or(log.max_size);
    if (key == "max-file") log.max_file = parse_int<int>(value).value_or(log.max_file);
    if (key == "labels") {
      for (const auto& label : split(value, ',')) {
        if (auto it = definition.config.labels.find(label); it != definition.config.labels.end())
          log.attributes[label] = it->second;
      }
    }
    if (key == "env") {
      for (const auto& name : split(value, ',')) {
        for (const auto& entry : definition.config.env) {
          auto [variable, content] = cut(entry, '=');
          if (variable == name && content) log.attributes[name] = *content;
        }
      }
    }
  }
}

std::vector<std::string> runtime_command(const Config& config, const std::string& name) {
  auto it = config.runtimes.find(name);
  if (it == config.runtimes.end() || it->second.path.empty()) return {};
  std::vector<std::string> out = {it->second.path};
  out.insert(out.end(), it->second.arguments.begin(), it->second.arguments.end());
  return out;
}

}  // namespace

// The spec of this start and the message that carries it.
static shim::CreateRequest build_request(Rooms& rooms, const Definition& definition, const os::RootedDir& root,
                                         std::vector<volume::MountPoint> mounts, const NetworkPart& part,
                                         const IpcPart& ipc) {
  const auto& host = definition.host_config;
  SpecInput input;
  input.definition = &definition;
  input.host = &rooms.host;
  input.user = os::resolve_user(root, definition.config.user, host.group_add);
  input.mounts = std::move(mounts);
  auto linked = linked_containers(rooms, definition);
  input.link_environment = std::move(linked.environment);
  auto files = write_etc_files(rooms, definition, part, std::move(linked));
  input.hosts_path = files.hosts;
  input.hostname_path = files.hostname;
  input.resolv_conf_path = files.resolv_conf;
  if (host.uts_mode != "host") input.hostname = definition.config.hostname;
  input.network_namespace = part.path;
  input.pid_namespace = pid_namespace(*rooms.roster, host);
  input.ipc_namespace = ipc.path;
  if (ipc.shared) input.shm_source = "fd:shm";
  if (host.privileged)
    input.devices = host_devices();
  else
    add_devices(host.devices, input.devices, input.device_rules);
  add_device_rules(host.device_cgroup_rules, input.device_rules);
  add_block_limits(host, input.block_io);
  // In another's process namespace it would be no process 1.
  if (host.init.value_or(rooms.config->init) && input.pid_namespace.empty()) {
    const auto& given = rooms.config->init_path;
    input.init_path = given.empty() ? os::program_beside("proa-init") : given;
  }
  input.cgroup_parent = host.cgroup_parent.empty() ? rooms.config->cgroup_parent : host.cgroup_parent;
  input.apparmor_profile = rooms.apparmor->prepare(host);
  input.default_no_new_privileges = rooms.config->no_new_privileges;
  for (const auto& [name, limit] : rooms.config->default_ulimits)
    input.default_ulimits.push_back({name, limit.soft, limit.hard});
  input.default_shm_size = rooms.config->default_shm_size;
  input.default_cgroupns_mode = rooms.config->default_cgroupns_mode;
  shim::CreateRequest request;
  request.runtime = runtime_command(*rooms.config, host.runtime);
  input.foreign_runtime = !request.runtime.empty();
  trace::Span span("engine.spec");
  request.id = definition.id;
  request.bundle = container_dir(rooms, definition.id);
  request.run_dir = rooms.monitor->run_dir(definition.id);
  request.spec = build_spec(input);
  span.set("mounts", static_cast<std::int64_t>(request.spec.mounts.size()));
  span.set("capabilities", static_cast<std::int64_t>(request.spec.process.capabilities->bounding.size()));
  if (!input.apparmor_profile.empty()) span.set("apparmor", input.apparmor_profile);
  span.set("seccomp", request.spec.linux.seccomp ? "filter" : "unconfined");
  request.open_stdin = definition.config.open_stdin;
  request.stdin_once = definition.config.stdin_once;
  request.terminal = definition.config.tty;
  if (host.console_size.size() == 2) {
    request.console_height = static_cast<std::uint16_t>(std::min<std::uint32_t>(host.console_size[0], 0xffff));
    request.console_width = static_cast<std::uint16_t>(std::min<std::uint32_t>(host.console_size[1], 0xffff));
  }
  fill_log_options(rooms, definition, request.log);
  request.trace_id = RequestTrace::id();
  return request;
}

// The filter goes along compiled; a foreign runtime gets its rules.
static std::shared_ptr<const os::Fd> take_filter(Rooms& rooms, const Definition& definition,
                                                 shim::CreateRequest& request) {
  auto& profile = request.spec.linux.seccomp;
  if (!profile || !request.runtime.empty()) return nullptr;
  auto given = parse_security_options(definition.host_config.security_opt).seccomp;
  auto filter = rooms.seccomp_filters->get(given, request.spec.process.capabilities->bounding, *profile);
  shim::drop_compiled_rules(*profile);
  return filter;
}

// The events of what the container got: its volumes and networks.
static void emit_attached(const Rooms& rooms, const Definition& definition, const network::Sandbox& sandbox) {
  for (const auto& point : definition.mounts) {
    if (point.type != volume::Type::Volume) continue;
    rooms.events->emit("volume", "mount", point.name,
                       {{"container", definition.id},
                        {"destination", point.destination},
                        {"driver", "local"},
                        {"propagation", point.propagation},
                        {"read/write", point.read_write ? "true" : "false"}});
  }
  for (const auto& endpoint : sandbox.endpoints) {
    rooms.events->emit("network", "connect", endpoint.network_id,
                       {{"container", definition.id}, {"name", endpoint.network_name}, {"type", "bridge"}});
  }
}

static void launch(Rooms& rooms, Container& container, const Definition& definition) {
  Rollback rollback;
  os::Fd root_mount;
  {
    trace::Span span("engine.rootfs");
    root_mount = rooms.snapshots->mount(
        definition.id, definition.host_config.auto_remove ? image::Volatile::Yes : image::Volatile::No);
    span.set("layers", static_cast<std::int64_t>(definition.diff_ids.size()));
  }
  os::RootedDir root(root_mount.duplicate());
  auto mounts = prepare_mounts(rooms, definition, root, rollback);
  auto part = connect_network(rooms, definition, rollback);
  FAILPOINT("start.after_network");
  auto ipc = ipc_part(*rooms.roster, definition.host_config);
  auto request = build_request(rooms, definition, root, std::move(mounts), part, ipc);
  auto filter = take_filter(rooms, definition, request);
  auto parked = rooms.attach->take_for_start(definition.id);
  std::vector<int> fds;
  auto send_along = [&](std::string name, const os::Fd& fd) {
    request.fds.push_back(std::move(name));
    fds.push_back(fd.get());
  };
  send_along("rootfs", root_mount);
  if (part.sandbox.netns) send_along("netns", part.sandbox.netns);
  if (ipc.shared) send_along("shm", *ipc.shared);
  if (filter) send_along("seccomp", *filter);
  for (std::size_t i = 0; i < parked.size(); ++i) {
    request.attach.push_back(attach_stream_of(parked[i].options, definition.config.tty, parked[i].stream.early_bytes));
    send_along(cat("attach:", std::to_string(i)), parked[i].stream.socket);
  }
  FAILPOINT("start.before_launch");
  Launched launched;
  {
    trace::Span span("engine.launch");
    launched = rooms.launcher->launch(request, fds);
    span.set("pid", static_cast<std::int64_t>(launched.started.pid));
  }
  // From here on the container runs: the exit, however early, comes through the monitor.
  rollback.commit();
  FAILPOINT("start.after_launch");
  container.run.root = std::move(root_mount);
  container.run.needs_cleanup = true;
  {
    std::lock_guard guard(container.exit_mutex);
    rooms.roster->change_state(container, [&](State& state) {
      state.status = Status::Running;
      state.pid = launched.started.pid;
      state.start_ticks = launched.started.start_time_ticks;
      state.started_at = launched.started.started_at > 0 ? launched.started.started_at : now();
      state.starting = false;
      state.error.clear();
      state.exit_code = 0;
      state.oom_killed = false;
    });
  }
  rooms.monitor->watch(definition.id, std::move(launched.socket));
  rooms.attach->hand_over(definition.id, definition.config.tty);
  emit_attached(rooms, definition, part.sandbox);
}

void Lifecycle::start_locked(Container& container) {
  auto definition = container.definition();
  auto before = container.state();
  rooms_.exits->clean_up(container);
  {
    std::lock_guard guard(container.exit_mutex);
    container.early_exit.reset();
    if (rooms_.health) rooms_.health->stop(container.id());
  }
  // Not in the database: a crash in between is undone by recovery, which finds no committed start.
  container.change(
      nullptr,
      [](State& state) {
        state.starting = true;
        state.stopped_by_user = false;
      },
      nullptr);
  try {
    launch(rooms_, container, *definition);
  } catch (const std::exception&) {
    auto failure = start_error(to_error(std::current_exception()));
    rooms_.roster->change_state(container, [&](State& state) {
      state.starting = false;
      state.status = before.status == Status::Restarting
                         ? Status::Restarting
                         : (before.started_at == kZeroTime ? Status::Created : Status::Exited);
      state.exit_code = failure.exit_code;
      state.error = failure.error.message();
    });
    throw failure.error;
  }
  emit_container(*rooms_.events, *definition, "start");
  tell_linking(rooms_, container);
  make_ready_soon(rooms_);
  if (rooms_.health) rooms_.health->begin(container);
  rooms_.exits->deliver_early_exit(container);
}

void Lifecycle::start(std::string_view reference) {
  trace::Span span("engine.start");
  if (rooms_.stopping) throw Error(ErrorKind::Unavailable, "the daemon is shutting down");
  auto container = rooms_.roster->get(reference);
  span.set("container", container->id());
  rooms_.explain->join(container->id(), RequestTrace::id());
  std::unique_lock guard(container->operation);
  if (container->epoch().removed) throw Error(ErrorKind::NotFound, cat("No such container: ", reference));
  auto state = container->state();
  if (state.status == Status::Running) throw Error(ErrorKind::NotModified, "");
  if (state.status == Status::Paused)
    throw Error(ErrorKind::Conflict, "cannot start a paused container, try unpause instead");
  if (state.status == Status::Removing || state.status == Status::Dead) {
    throw Error(ErrorKind::Conflict, "container is marked for removal and cannot be started");
  }
  container->change(
      nullptr, [](State& s) { s.restart_count = 0; }, nullptr);  // committed with the start
  container->run.restart_delay = 0;
  try {
    start_locked(*container);
  } catch (const Error&) {
    if (container->definition()->host_config.auto_remove) {
      container->count_exit(container->state().exit_code, "");  // the reason is this request's answer, not the waiter's
      rooms_.containers->remove_stopped(*container, true);
    }
    throw;
  }
}

}  // namespace proa::engine
