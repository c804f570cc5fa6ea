// The composition root: every room of the daemon, made in the order in which they depend on each other.
#pragma once

#include <memory>

#include "engine/config.h"

namespace proa::engine {

class Archive;
class Attach;
class Containers;
class Events;
class Execs;
class Explain;
class Images;
class Lifecycle;
class Logs;
class Networks;
class Stats;
class System;
class Volumes;

class Engine {
 public:
  // Opens the state and recovers: when this returns, what ran before runs on and everything else was tidied.
  explicit Engine(Config config);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  Containers& containers();
  Lifecycle& lifecycle();
  Attach& attach();
  Execs& execs();
  Logs& logs();
  Stats& stats();
  Archive& archive();
  Images& images();
  Networks& networks();
  Volumes& volumes();
  Events& events();
  System& system();
  Explain& explain();
  const Config& config() const;
  // Takes over those of `fresh` that a running daemon may change, for what begins from now on.
  void reload(const Config& fresh);

  // To be told of every request: without one for a while, the daemon gives memory back.
  void request_served();
  // For SIGTERM: finishes what is under way; containers run on.
  void shutdown();

 private:
  struct House;
  std::unique_ptr<House> house_;
};

}  // namespace proa::engine
