#include "api/volumes.h"

#include "engine/volumes.h"
#include "server/call.h"

namespace proa::server {
namespace {

void list(Call& call) {
  call.reply(200, api::to_json(api::VolumeListResponse{call.engine.volumes().list(call.filters()), {}}));
}

void inspect(Call& call) { call.reply(200, api::to_json(call.engine.volumes().inspect(call.part()))); }

void create(Call& call) {
  call.reply(201, api::to_json(call.engine.volumes().create(api::volume_create_request_from_json(call.json_body()))));
}

void remove(Call& call) {
  call.engine.volumes().remove(call.part(), call.query().boolean("force"));
  call.reply(204);
}

void prune(Call& call) {
  api::Filters filters = call.filters();
  if (!call.since(42) && !filters.has("all")) filters.add("all", "true");  // named ones were pruned, too
  call.reply(200, api::to_json(call.engine.volumes().prune(filters)));
}

constexpr Route kRoutes[] = {
    {"GET", "/volumes", list},       {"POST", "/volumes/create", create}, {"POST", "/volumes/prune", prune},
    {"GET", "/volumes/{}", inspect}, {"DELETE", "/volumes/{}", remove},
};

}  // namespace

std::span<const Route> volume_routes() { return kRoutes; }

}  // namespace proa::server
