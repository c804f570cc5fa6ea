// What Client keeps, for its source files: the places to ask, and how a request gets its answer.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "registry/auth.h"
#include "registry/client.h"
#include "registry/failure.h"
#include "registry/hosts.h"
#include "registry/transport.h"

namespace proa::registry {

inline constexpr std::int64_t kDocumentTimeoutMs = 120'000;

struct Place {
  Host host;
  std::unique_ptr<Authorizer> auth;
};

struct Client::State {
  Transport transport;
  oci::Reference reference;
  std::stop_token stop;
  Access access;
  std::vector<Place> places;
  std::atomic<std::size_t> current{0};
  std::atomic<bool> settled{false};

  State(const Options& options, const oci::Reference& repository, const Credentials& credentials, std::stop_token token,
        Access what_for, const std::vector<std::string>& mount_from);

  Place& place() { return places[current]; }
  FailedRequest failed(std::string_view what, const Request& request) const;
  // One answer, whatever its status.
  Response exchange(Place& place, Request request);
  // The same, asked again as long as the registry is busy.
  Response patiently(Place& place, const Request& request);
  // The answer of the first place that gives one to `path`. Throws for a status that is no success (but 416).
  Response send(std::string_view what, Request request, const std::string& path);
  FetchedManifest fetch(const std::string& tag_or_digest, std::size_t limit);
};

// Throws Forbidden for a redirect (or a place to upload to) where only this machine can reach, or from https to http.
void check_redirect(const Host& host, const Url& from, const Url& to);
// Sleeps; throws Cancelled.
void wait(std::int64_t milliseconds, const std::stop_token& stop);

}  // namespace proa::registry
