// The distribution specification 1.1 over HTTP.
#pragma once

#include <memory>
#include <string>

#include "http/server.h"
#include "registry_server/access.h"
#include "registry_server/metrics.h"
#include "registry_server/repositories.h"
#include "registry_server/settings.h"
#include "registry_server/uploads.h"
#include "registry_server/upstream.h"

namespace proa::registry_server {

struct Registry {
  store::Blobs blobs;
  store::Database database;
  Repositories repositories;
  Uploads uploads;
  Access access;
  Metrics metrics;
  std::unique_ptr<Upstream> upstream;  // of a cache
  bool read_only, secure;

  explicit Registry(const Settings& settings);
};

http::Handler make_handler(Registry& registry);

}  // namespace proa::registry_server
