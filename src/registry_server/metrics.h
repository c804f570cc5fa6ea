// What a registry counts, for Prometheus.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

namespace proa::registry_server {

struct Registry;

struct Metrics {
  std::atomic<std::uint64_t> requests = 0, in_flight = 0, refused = 0, bytes_in = 0, bytes_out = 0;
  std::array<std::atomic<std::uint64_t>, 6> answered{};  // by the first digit of the status
  std::atomic<std::uint64_t> cache_hits = 0, cache_misses = 0, cache_stale = 0;
  std::atomic<std::uint64_t> collections = 0, collected_bytes = 0;
};

// The text format 0.0.4.
std::string metrics_text(Registry& registry);

}  // namespace proa::registry_server
