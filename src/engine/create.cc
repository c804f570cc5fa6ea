// POST /containers/create: the record is committed or nothing stays.
#include <algorithm>

#include "base/failpoint.h"
#include "base/id.h"
#include "base/rollback.h"
#include "base/text.h"
#include "base/trace.h"
#include "engine/checks.h"
#include "engine/companions.h"
#include "engine/containers.h"
#include "engine/directory_reserve.h"
#include "engine/event_attributes.h"
#include "engine/explain.h"
#include "engine/housekeeping.h"
#include "engine/image_defaults.h"
#include "engine/links.h"
#include "engine/mount_resolution.h"
#include "engine/names.h"
#include "engine/network_requests.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "engine/workers.h"
#include "image/images.h"
#include "image/snapshots.h"
#include "os/file.h"
#include "volume/volumes.h"

namespace proa::engine {
namespace {

struct ChosenImage {
  oci::Digest id;                                  // by which the image is known
  image::ImageRecord image;                        // as it is for the container's platform
  std::optional<image::Images::Growing> unpacked;  // until the container stands on what was unpacked for it
};

void find_image(const Rooms& rooms, const api::ContainerCreateRequest& request, ChosenImage& out) {
  trace::Span span("engine.image");
  span.set("reference", request.config.image);
  if (request.config.image.empty()) throw Error(ErrorKind::InvalidArgument, "no image specified");
  std::optional<oci::Platform> platform;
  if (!request.platform.empty()) platform = oci::Platform::parse(request.platform);
  auto found = rooms.images->find(request.config.image, platform);
  auto known = found ? *found : rooms.images->get(request.config.image);  // throws "No such image"
  out.id = known.id;
  if (!known.artifact_type.empty()) {
    throw Error(ErrorKind::InvalidArgument, cat("image ", request.config.image, " is an artifact (",
                                                known.artifact_type, "), not a container image: it cannot be run"));
  }
  if (!found && known.index.empty()) {
    throw Error(ErrorKind::NotFound,
                cat("image with reference ", request.config.image, " was found but its platform (",
                    known.config.platform.text(), ") does not match the specified platform (", request.platform, ")"));
  }
  if (!found) out.unpacked.emplace(*rooms.images);
  out.image = found ? std::move(*found) : rooms.images->unpack_for(known, *platform, {});
  span.set("id", out.image.id.text());
  span.set("layers", static_cast<std::int64_t>(out.image.diff_ids.size()));
}

std::vector<std::string> known_runtimes(const Config& config) {
  std::vector<std::string> out = {"proa-runtime", "runc", "io.containerd.runc.v2", config.default_runtime};
  for (const auto& [name, runtime] : config.runtimes) out.push_back(name);
  return out;
}

// What inspect shows where the request left it open.
void fill_host_defaults(api::HostConfig& host, const Config& config, const HostFacts& facts) {
  if (host.network_mode.empty() || host.network_mode == "default") host.network_mode = "bridge";
  if (host.ipc_mode.empty()) host.ipc_mode = config.default_ipc_mode;
  if (host.shm_size == 0) host.shm_size = config.default_shm_size;
  if (host.cgroupns_mode.empty()) {
    host.cgroupns_mode = config.default_cgroupns_mode;
    if (host.cgroupns_mode.empty()) host.cgroupns_mode = facts.cgroup_unified && !host.privileged ? "private" : "host";
  }
  if (host.log_config.type.empty()) {
    host.log_config.type = config.log_driver;
    if (host.log_config.config.empty()) host.log_config.config = config.log_options;
  }
  if (host.restart_policy.name.empty()) host.restart_policy.name = "no";
  if (host.runtime.empty()) host.runtime = config.default_runtime;
  if (host.memory > 0 && host.memory_swap == 0) host.memory_swap = host.memory * 2;
  if (host.pids_limit.value_or(0) <= 0) host.pids_limit.reset();  // 0 and -1 are "no limit"
  if (host.memory_swappiness == -1) host.memory_swappiness.reset();
  if (!host.oom_kill_disable) host.oom_kill_disable = false;
}

std::string default_hostname(const Rooms& rooms, const api::HostConfig& host, const std::string& id) {
  if (host.network_mode == "host" || host.uts_mode == "host") {
    auto text = os::read_file("/proc/sys/kernel/hostname");
    return std::string(trim(text));
  }
  if (joins_container(host.network_mode)) {
    if (auto other = rooms.roster->find(std::string_view(host.network_mode).substr(10)))
      return other->definition()->config.hostname;
  }
  return std::string(short_id(id));
}

void prepare_directory(Rooms& rooms, const std::string& id, const std::vector<oci::Digest>& diff_ids,
                       Rollback& rollback) {
  trace::Span span("engine.prepare");
  rooms.directories->place(id);
  rollback.add([directory = os::path_join(rooms.containers_dir, id)] { os::remove_tree(directory); });
  rooms.snapshots->prepare(id, diff_ids);
}

void write_config_for_people(const Rooms& rooms, const Definition& definition) {
  os::replace_file(os::path_join(os::path_join(rooms.containers_dir, definition.id), "config.json"),
                   json::text(to_json(definition)), 0600);
}

}  // namespace

api::ContainerCreateResponse Containers::create(const api::ContainerCreateRequest& request) {
  trace::Span span("engine.create");
  if (rooms_.stopping) throw Error(ErrorKind::Unavailable, "the daemon is shutting down");
  std::string wanted_name = request.name.empty() ? "" : checked_container_name(request.name);
  ChosenImage chosen;
  find_image(rooms_, request, chosen);
  const image::ImageRecord& image = chosen.image;

  auto merged = request;
  merged.config = with_image_defaults(request.config, image.config.config);
  auto warnings = check_create(merged, rooms_.host, {known_runtimes(*rooms_.config), rooms_.config->log_driver});
  Definition definition;
  definition.id = rooms_.directories->take_id();
  Rollback rollback;
  rollback.add([this, id = definition.id] { rooms_.directories->discard(id); });
  definition.created = now();
  definition.image_id = chosen.id.text();
  if (chosen.unpacked) definition.image_manifest = image.manifest.text();
  for (const auto& diff_id : image.diff_ids) definition.diff_ids.push_back(diff_id.text());
  definition.config = std::move(merged.config);
  definition.host_config = std::move(merged.host_config);
  definition.trace_id = RequestTrace::id();
  auto command = command_of(definition.config);
  definition.path = std::move(command.path);
  definition.args = std::move(command.args);
  fill_host_defaults(definition.host_config, *rooms_.config, rooms_.host);
  definition.networks = plan_networks(definition, request.networking);
  settle_companions(*rooms_.roster, definition.host_config);
  definition.links = take_links(*rooms_.roster, definition.host_config);
  port_mappings(definition);  // throws for what is no port
  if (definition.config.hostname.empty()) {
    definition.config.hostname = default_hostname(rooms_, definition.host_config, definition.id);
  }
  span.set("container", definition.id);

  definition.name = rooms_.roster->reserve_name(wanted_name, definition.id);
  rollback.add([this, name = definition.name, id = definition.id] { rooms_.roster->free_name(name, id); });
  FAILPOINT("create.after_name");
  rooms_.roster->record_intent(definition.id);
  rollback.add([this, id = definition.id] { rooms_.roster->drop_intent(id); });
  FAILPOINT("create.after_intent");
  definition.mounts = resolve_mounts(rooms_, definition, rollback);
  prepare_directory(rooms_, definition.id, image.diff_ids, rollback);
  FAILPOINT("create.after_dir");
  ContainerPtr container;
  {
    trace::Span commit("engine.commit");
    container = rooms_.roster->add(definition);
  }
  rollback.commit();
  FAILPOINT("create.after_commit");
  rooms_.explain->container_created(definition.id, definition.name, definition.config.image);
  rooms_.explain->join(definition.id, definition.trace_id);
  emit_container(*rooms_.events, definition, "create");
  sync_soon(rooms_);
  rooms_.workers->run("writing config.json", [this, container] {
    std::lock_guard guard(container->operation);
    if (!container->epoch().removed) write_config_for_people(rooms_, *container->definition());
  });
  return {definition.id, std::move(warnings)};
}

}  // namespace proa::engine
