// What the rooms of the engine share: each other, by pointer, filled in by the composition root in engine.cc.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/config.h"
#include "engine/host_facts.h"

namespace proa::store {
class Blobs;
class Database;
class Leases;
}  // namespace proa::store
namespace proa::image {
class Images;
class Layers;
class Puller;
class Pusher;
class Snapshots;
}  // namespace proa::image
namespace proa::registry {
struct Options;
}
namespace proa::network {
class Networks;
}
namespace proa::volume {
class Volumes;
}

namespace proa::engine {

class AppArmor;
class Archive;
class Attach;
class Containers;
class DirectoryReserve;
class Events;
class Execs;
class Exits;
class Explain;
class Health;
class Launcher;
class Lifecycle;
class Monitor;
class Networks;
class Roster;
class SeccompFilters;
class Workers;

// What may be replaced, as a whole, while others read it: what they got stays as it was.
template <class T>
class Current {
 public:
  const T& operator*() const { return *now_.load(); }
  const T* operator->() const { return now_.load(); }
  void operator=(const T* next) { now_ = next; }

 private:
  std::atomic<const T*> now_ = nullptr;
};

struct Rooms {
  Current<Config> config;
  HostFacts host;
  std::string containers_dir;  // D/containers
  std::string trash_dir;       // D/trash
  const AppArmor* apparmor = nullptr;
  SeccompFilters* seccomp_filters = nullptr;
  store::Database* database = nullptr;
  store::Blobs* blobs = nullptr;
  image::Layers* layers = nullptr;
  image::Snapshots* snapshots = nullptr;
  image::Images* images = nullptr;
  Current<registry::Options> registries;
  image::Puller* puller = nullptr;
  image::Pusher* pusher = nullptr;
  network::Networks* networks = nullptr;
  volume::Volumes* volumes = nullptr;
  DirectoryReserve* directories = nullptr;
  Events* events = nullptr;
  Explain* explain = nullptr;
  Workers* workers = nullptr;
  Roster* roster = nullptr;
  Launcher* launcher = nullptr;
  Monitor* monitor = nullptr;
  Attach* attach = nullptr;
  Execs* execs = nullptr;
  Containers* containers = nullptr;
  Lifecycle* lifecycle = nullptr;
  Exits* exits = nullptr;
  Health* health = nullptr;
  std::atomic<bool> trash_scheduled = false;
  std::atomic<bool> rest_scheduled = false;
  std::atomic<bool> sync_scheduled = false;
  std::atomic<std::int64_t> last_request = 0;  // monotonic, as the next
  std::atomic<std::int64_t> last_copy = 0;     // of the state database
  std::atomic<bool> stopping = false;          // shutdown: no restart, no new start
};

}  // namespace proa::engine
