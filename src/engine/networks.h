// Networks as the API shows them: a thin room over network::Networks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/filters.h"
#include "api/networks.h"

namespace proa::engine {

struct Rooms;

class Networks {
 public:
  explicit Networks(Rooms& rooms) : rooms_(rooms) {}

  std::vector<api::NetworkResource> list(const api::Filters& filters) const;
  api::NetworkResource inspect(std::string_view name) const;
  api::NetworkCreateResponse create(const api::NetworkCreateRequest& request);
  void remove(std::string_view name);
  void connect(std::string_view name, const api::NetworkConnect& request);
  void disconnect(std::string_view name, const api::NetworkDisconnect& request);
  api::NetworksPruneReport prune(const api::Filters& filters);

 private:
  Rooms& rooms_;
};

}  // namespace proa::engine
