#include "engine/engine.h"

#include <deque>
#include <set>

#include "base/log.h"
#include "base/text.h"
#include "engine/apparmor.h"
#include "engine/archive.h"
#include "engine/attach.h"
#include "engine/containers.h"
#include "engine/directory_reserve.h"
#include "engine/event_attributes.h"
#include "engine/events.h"
#include "engine/execs.h"
#include "engine/exits.h"
#include "engine/explain.h"
#include "engine/health.h"
#include "engine/housekeeping.h"
#include "engine/images.h"
#include "engine/launcher.h"
#include "engine/lifecycle.h"
#include "engine/logs.h"
#include "engine/monitor.h"
#include "engine/networks.h"
#include "engine/recover.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "engine/seccomp_filters.h"
#include "engine/stats.h"
#include "engine/system.h"
#include "engine/volumes.h"
#include "engine/workers.h"
#include "image/images.h"
#include "image/layer_file.h"
#include "image/layers.h"
#include "image/pull.h"
#include "image/push.h"
#include "image/snapshots.h"
#include "network/networks.h"
#include "os/file.h"
#include "store/blobs.h"
#include "store/database.h"
#include "volume/volumes.h"

namespace proa::engine {
namespace {

const Config& prepared(const Config& config) {
  os::make_dirs(config.data_root, 0710);
  for (const char* name : {"containers", "tmp", "trash", "volumes"})
    os::make_dir(os::path_join(config.data_root, name), 0711);
  // Where many files were deleted a moment ago, new ones are slow to make (ext4 without a journal passes over their
  // inodes): the end of one container is not to slow down the next.
  for (const char* name : {"containers", "tmp"}) os::spread_subdirectories(os::path_join(config.data_root, name));
  os::make_dirs(config.exec_root, 0711);
  os::make_dir(os::path_join(config.exec_root, "shims"), 0700);
  return config;
}

network::NetworkConfig network_config(const Config& config) {
  network::NetworkConfig out;
  out.bridge = config.bridge;
  out.bip = config.bip;
  out.state_dir = os::path_join(config.exec_root, "network");
  out.default_host_ip = config.default_host_ip;
  out.pools = config.default_address_pools;
  out.mtu = config.mtu;
  out.ip_forward = config.ip_forward;
  out.inter_container = config.icc;
  out.ip_masquerade = config.ip_masquerade;
  out.dns = config.dns;
  return out;
}

// The form of new layers; by default files where they can be mounted.
image::LayerForm layer_form(const Config& config) {
  if (config.layers == "directory") return image::LayerForm::Directory;
  try {
    std::string directory = os::path_join(config.data_root, "layers");
    os::make_dirs(directory, 0710);
    image::try_layer_file(directory);
    return image::LayerForm::Erofs;
  } catch (const Error& error) {
    if (config.layers == "erofs")
      throw Error(ErrorKind::Unavailable,
                  cat("storage option proa.layers=erofs: not possible on this machine: ", error.message()));
    log::info("layers are unpacked into directories: layer files cannot be mounted here",
              {{"reason", error.message()}});
    return image::LayerForm::Directory;
  }
}

registry::Options registry_options(const Config& config) {
  registry::Options out;
  out.insecure_registries = config.insecure_registries;
  out.registry_mirrors = config.registry_mirrors;
  out.download_attempts = config.max_download_attempts;
  out.certs_dir = config.registry_config_path;
  out.http_proxy = config.http_proxy;
  out.https_proxy = config.https_proxy;
  out.no_proxy = config.no_proxy;
  return out;
}

}  // namespace

// In the order of dependence; torn down in reverse.
struct Engine::House {
  Config config;
  // What reload() has set, the last one valid: whoever reads an older one still may.
  std::deque<Config> settings;
  std::deque<registry::Options> registry_settings;
  store::Database database;
  store::Blobs blobs;
  image::Layers layers;
  image::Snapshots snapshots;
  image::Images images;
  registry::Options registries;
  image::Puller puller;
  image::Pusher pusher;
  network::Networks networks;
  volume::Volumes volumes;
  Rooms rooms;
  DirectoryReserve directories;
  Events events;
  Explain explain;
  Roster roster;
  ShimLauncher launcher;
  Attach attach;
  AppArmor apparmor;
  SeccompFilters seccomp_filters;
  Execs execs;
  Logs logs;
  Stats stats;
  engine::Archive archive;
  engine::Images image_room;
  engine::Networks network_room;
  engine::Volumes volume_room;
  Containers containers;
  Lifecycle lifecycle;
  Exits exits;
  System system;
  Workers workers;
  Health health;
  Monitor monitor;

  explicit House(Config given)
      : config(std::move(given)),
        database(os::path_join(prepared(config).data_root, "proa.db")),
        blobs(os::path_join(config.data_root, "content")),
        layers(config.data_root, layer_form(config)),
        snapshots(config.data_root, layers),
        images(database, blobs, layers),
        registries(registry_options(config)),
        puller(images, blobs, layers, registries, config.max_concurrent_downloads),
        pusher(images, blobs, registries, config.max_concurrent_uploads),
        networks(database, network_config(config)),
        volumes(database, config.data_root),
        directories(os::path_join(config.data_root, "tmp"), os::path_join(config.data_root, "containers")),
        explain(os::path_join(config.data_root, "containers")),
        roster(database),
        attach(rooms),
        execs(rooms),
        logs(rooms),
        stats(rooms),
        archive(rooms),
        image_room(rooms),
        network_room(rooms),
        volume_room(rooms),
        containers(rooms),
        lifecycle(rooms),
        exits(rooms),
        system(fill_rooms()),
        workers(4),
        health(rooms),
        monitor(os::path_join(config.exec_root, "shims"), callbacks()) {
    rooms.monitor = &monitor;
    roster.load();
    images.set_layers_in_use([this] { return layers_in_use(); });
    load_apparmor_profile();
    recover(rooms);
    make_ready_soon(rooms);
    rest_soon(rooms);
  }

  // A container that needs it tries again, and fails with the reason.
  void load_apparmor_profile() {
    if (auto warning = apparmor.warning(); !warning.empty()) log::warn(warning);
    try {
      apparmor.prepare({});
    } catch (const Error& error) {
      log::error("a default of the host could not be set up", {{"error", error.message()}});
    }
  }

  Rooms& fill_rooms() {
    rooms.config = &config;
    rooms.host = read_host_facts();
    rooms.apparmor = &apparmor;
    rooms.seccomp_filters = &seccomp_filters;
    rooms.containers_dir = os::path_join(config.data_root, "containers");
    rooms.trash_dir = os::path_join(config.data_root, "trash");
    rooms.database = &database;
    rooms.blobs = &blobs;
    rooms.layers = &layers;
    rooms.snapshots = &snapshots;
    rooms.images = &images;
    rooms.registries = &registries;
    rooms.puller = &puller;
    rooms.pusher = &pusher;
    rooms.networks = &networks;
    rooms.volumes = &volumes;
    rooms.directories = &directories;
    rooms.events = &events;
    rooms.explain = &explain;
    rooms.workers = &workers;
    rooms.roster = &roster;
    rooms.launcher = &launcher;
    rooms.attach = &attach;
    rooms.execs = &execs;
    rooms.containers = &containers;
    rooms.lifecycle = &lifecycle;
    rooms.exits = &exits;
    rooms.health = &health;
    return rooms;
  }

  Monitor::Callbacks callbacks() {
    return {
        .on_exit = [this](const std::string& id, const shim::ExitRecord& record) { exits.exited(id, record); },
        .on_exec_exit = [this](const std::string&,
                               const shim::ExitRecord& record) { execs.exited(record.exec_id, record.exit_code); },
        .on_detach =
            [this](const std::string& id, const std::string& exec_id, const std::string&) {
              if (auto container = roster.by_id(id)) {
                emit_container(events, *container->definition(), exec_id.empty() ? "detach" : "exec_detach");
              }
            },
        .on_oom =
            [this](const std::string& id) {
              if (auto container = roster.by_id(id)) emit_container(events, *container->definition(), "oom");
            },
        .on_run_dirs_lost = [this] { networks.write_states(); },
    };
  }

  std::vector<oci::Digest> layers_in_use() const {
    std::set<oci::Digest> out;
    for (const auto& container : roster.all()) {
      for (auto& diff_id : layers_of(*container->definition())) out.insert(std::move(diff_id));
    }
    return {out.begin(), out.end()};
  }
};

Engine::Engine(Config config) : house_(std::make_unique<House>(std::move(config))) {}
Engine::~Engine() { shutdown(); }

void Engine::request_served() { rest_soon(house_->rooms); }

Containers& Engine::containers() { return house_->containers; }
Lifecycle& Engine::lifecycle() { return house_->lifecycle; }
Attach& Engine::attach() { return house_->attach; }
Execs& Engine::execs() { return house_->execs; }
Logs& Engine::logs() { return house_->logs; }
Stats& Engine::stats() { return house_->stats; }
Archive& Engine::archive() { return house_->archive; }
Images& Engine::images() { return house_->image_room; }
Networks& Engine::networks() { return house_->network_room; }
Volumes& Engine::volumes() { return house_->volume_room; }
Events& Engine::events() { return house_->events; }
System& Engine::system() { return house_->system; }
Explain& Engine::explain() { return house_->explain; }
const Config& Engine::config() const { return *house_->rooms.config; }

void Engine::reload(const Config& fresh) {
  House& house = *house_;
  house.settings.push_back(reloaded(config(), fresh));
  const Config& now = house.settings.back();
  house.registry_settings.push_back(registry_options(now));
  house.puller.reconfigure(house.registry_settings.back(), now.max_concurrent_downloads);
  house.pusher.reconfigure(house.registry_settings.back(), now.max_concurrent_uploads);
  house.rooms.registries = &house.registry_settings.back();
  house.rooms.config = &now;
  auto attributes = reloadable_settings(now);
  attributes["name"] = house.system.info().name;
  house.events.emit("daemon", "reload", house.system.id(), std::move(attributes));
}

void Engine::shutdown() {
  if (!house_ || house_->rooms.stopping.exchange(true)) return;
  house_->workers.stop();
  house_->database.try_keep_copy();
}

}  // namespace proa::engine
