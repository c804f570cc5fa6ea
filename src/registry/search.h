// docker search: the index's words about what there is (its /v1/search), and fetching a file from anywhere.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "registry/client.h"

namespace proa::registry {

struct SearchResult {
  std::string name, description;
  std::int64_t stars = 0;
  bool official = false, automated = false;
};

// `term`: "busybox", "localhost:5000/team". At most `limit`. Throws InvalidArgument for a term without words.
std::vector<SearchResult> search(const Options& options, const std::string& term, int limit,
                                 const Credentials& credentials, std::stop_token stop);

// The body of `url` (http or https), redirects followed. `begin` is told its size first, -1 where that is unknown.
void download(const Options& options, const std::string& url, const std::function<void(std::int64_t size)>& begin,
              const std::function<void(std::span<const std::byte>)>& data, std::stop_token stop);

}  // namespace proa::registry
