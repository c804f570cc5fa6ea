// What Client keeps, for its source files: the places to ask, and how a request gets its answer.
#pragma once

#include <atomic>
#include <deque>
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
  Place(Host where, std::unique_ptr<Authorizer> proof) : host(std::move(where)), auth(std::move(proof)) {}
  Host host;
  std::unique_ptr<Authorizer> auth;
  std::atomic<bool> answered = false;  // http is no answer to a broken https connection
};

struct Client::State {
  Transport transport;
  oci::Reference reference;
  std::stop_token stop;
  Access access;
  int download_attempts;
  std::deque<Place> places;
  std::atomic<std::size_t> current{0};  // only ever grows

  State(const Options& options, const oci::Reference& repository, const Credentials& credentials, std::stop_token token,
        Access what_for, const std::vector<std::string>& mount_from);

  Place& place() { return places[current]; }
  // The place `index` is not asked any more.
  void leave(std::size_t index);
  // A mirror that cannot be relied on is left for the next place. False: the registry itself is being asked.
  bool leave_mirror();
  FailedRequest failed(std::string_view what, const Request& request) const;
  // One answer, whatever its status.
  Response exchange(Place& place, Request request);
  // The same, asked again as long as the registry is busy.
  Response patiently(Place& place, const Request& request);
  // The answer of the first place that gives one to `path` ("/v2/..."). Throws for a status that is no success (but
  // 416).
  Response send(std::string_view what, Request request, const std::string& path);
  FetchedManifest fetch(const std::string& tag_or_digest, std::size_t limit);
  // What `get` returns; again, from the next place, where a mirror's content is not what its digest says.
  template <typename Get>
  auto verified(Get get) {
    for (;;) {
      try {
        return get();
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::DataLoss || !leave_mirror()) throw;
      }
    }
  }

 private:
  bool may_ask(const Place& place, bool by_name) const;
};

// Throws Forbidden for a redirect (or a place to upload to) where only this machine can reach, or from https to http.
void check_redirect(const Host& host, const Url& from, const Url& to);
// Sleeps; throws Cancelled.
void wait(std::int64_t milliseconds, const std::stop_token& stop);

}  // namespace proa::registry
