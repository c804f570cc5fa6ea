#include "api/networks.h"

#include "engine/networks.h"
#include "server/call.h"

namespace proa::server {
namespace {

void list(Call& call) {
  JsonArray array;
  for (const auto& network : call.engine.networks().list(call.filters())) {
    Json value = api::to_json(network);
    api::shape_network(value, call.version);
    array.push_back(std::move(value));
  }
  call.reply(200, array);
}

void inspect(Call& call) {
  Json value = api::to_json(call.engine.networks().inspect(call.part()));
  api::shape_network(value, call.version);
  call.reply(200, value);
}

void create(Call& call) {
  call.reply(201, api::to_json(call.engine.networks().create(api::network_create_request_from_json(call.json_body()))));
}

void remove(Call& call) {
  call.engine.networks().remove(call.part());
  call.reply(204);
}

void connect(Call& call) {
  call.engine.networks().connect(call.part(), api::network_connect_from_json(call.json_body()));
  call.reply(200);
}

void disconnect(Call& call) {
  call.engine.networks().disconnect(call.part(), api::network_disconnect_from_json(call.json_body()));
  call.reply(200);
}

void prune(Call& call) { call.reply(200, api::to_json(call.engine.networks().prune(call.filters()))); }

constexpr Route kRoutes[] = {
    {"GET", "/networks", list},
    {"GET", "/networks/", list},
    {"POST", "/networks/create", create},
    {"POST", "/networks/prune", prune},
    {"GET", "/networks/{}", inspect},
    {"DELETE", "/networks/{}", remove},
    {"POST", "/networks/{}/connect", connect},
    {"POST", "/networks/{}/disconnect", disconnect},
};

}  // namespace

std::span<const Route> network_routes() { return kRoutes; }

}  // namespace proa::server
