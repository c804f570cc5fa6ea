// The distribution specification 1.1 over HTTP.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "http/server.h"
#include "registry_server/htpasswd.h"
#include "registry_server/repositories.h"
#include "registry_server/uploads.h"

namespace proa::registry_server {

struct Registry {
  store::Blobs blobs;
  store::Database database;
  Repositories repositories;
  Uploads uploads;
  std::optional<Htpasswd> users;  // none: everybody may do everything
  bool read_only = false;
  std::atomic<std::uint64_t> requests = 0, refused = 0, bytes_in = 0, bytes_out = 0;

  explicit Registry(const std::string& root);
};

http::Handler make_handler(Registry& registry);

}  // namespace proa::registry_server
