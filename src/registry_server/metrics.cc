#include "registry_server/metrics.h"

#include "base/text.h"
#include "registry_server/serve.h"

namespace proa::registry_server {

namespace {

std::string head(std::string_view name, std::string_view type, std::string_view help) {
  return cat("# HELP proa_registry_", name, " ", help, "\n# TYPE proa_registry_", name, " ", type, "\n");
}

std::string line(std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
  return cat(head(name, type, help), "proa_registry_", name, " ", value, "\n");
}

}  // namespace

std::string metrics_text(Registry& registry) {
  const Metrics& m = registry.metrics;
  std::string out = line("requests_total", "counter", "Requests answered.", m.requests);
  out += head("responses_total", "counter", "Responses by class of status.");
  for (std::size_t i = 1; i < m.answered.size(); ++i)
    out += cat("proa_registry_responses_total{code=\"", i, "xx\"} ", m.answered[i].load(), "\n");
  out += line("requests_in_flight", "gauge", "Requests being answered.", m.in_flight);
  out += line("refused_total", "counter", "Requests refused.", m.refused);
  out += line("received_bytes_total", "counter", "Bytes of blobs received.", m.bytes_in);
  out += line("sent_bytes_total", "counter", "Bytes of blobs sent.", m.bytes_out);
  out += line("uploads", "gauge", "Uploads that are open.", registry.uploads.count());
  out += line("collections_total", "counter", "Runs of the garbage collection.", m.collections);
  out += line("collected_bytes_total", "counter", "Bytes it deleted.", m.collected_bytes);
  if (!registry.upstream) return out;
  out += line("cache_hits_total", "counter", "Requests answered from the cache.", m.cache_hits);
  out += line("cache_misses_total", "counter", "Requests that went upstream.", m.cache_misses);
  out +=
      line("cache_stale_total", "counter", "Requests answered from the cache because upstream did not.", m.cache_stale);
  return out;
}

}  // namespace proa::registry_server
