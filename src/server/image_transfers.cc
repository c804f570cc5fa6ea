// Images on their way in and out: push, login.
#include "api/images.h"
#include "base/text.h"
#include "engine/images.h"
#include "server/call.h"
#include "server/progress_stream.h"

namespace proa::server {
namespace {

void push(Call& call) {
  auto auth = api::decode_auth_header(call.request.headers.get("X-Registry-Auth"));
  stream_progress(call, [&](const SendProgress& send) {
    call.engine.images().push(call.part(), call.query().get("tag"), auth, send, call.request.client_gone);
  });
}

void login(Call& call) {
  api::AuthConfig auth = api::auth_config_from_json(call.json_body());
  call.response.watch_client();
  call.reply(200, api::to_json(call.engine.images().login(auth, call.request.client_gone)));
}

constexpr Route kRoutes[] = {
    {"POST", "/images/{*}/push", push},
    {"POST", "/auth", login},
};

}  // namespace

std::span<const Route> image_transfer_routes() { return kRoutes; }

}  // namespace proa::server
