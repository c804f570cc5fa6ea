// Images on their way in and out: push, save, load, commit; login.
#include "api/images.h"
#include "base/text.h"
#include "engine/images.h"
#include "server/call.h"
#include "server/progress_stream.h"

namespace proa::server {
namespace {

void login(Call& call) {
  api::AuthConfig auth = api::auth_config_from_json(call.json_body());
  call.response.watch_client();
  call.reply(200, api::to_json(call.engine.images().login(auth, call.request.client_gone)));
}

void distribution(Call& call) {
  auto auth = api::decode_auth_header(call.request.headers.get("X-Registry-Auth"));
  call.response.watch_client();
  call.reply(200, call.engine.images().distribution(call.part(), auth, call.request.client_gone));
}

void registry_tags(Call& call) {
  auto auth = api::decode_auth_header(call.request.headers.get("X-Registry-Auth"));
  call.response.watch_client();
  JsonArray tags;
  for (auto& tag : call.engine.images().registry_tags(call.part(), auth, call.request.client_gone))
    tags.emplace_back(std::move(tag));
  call.reply(200, JsonObject{{"Tags", std::move(tags)}});
}

void registry_referrers(Call& call) {
  auto auth = api::decode_auth_header(call.request.headers.get("X-Registry-Auth"));
  call.response.watch_client();
  call.reply(
      200, JsonObject{{"Referrers", call.engine.images().registry_referrers(call.part(), call.query().get("type"), auth,
                                                                            call.request.client_gone)}});
}

void registry_remove(Call& call) {
  auto auth = api::decode_auth_header(call.request.headers.get("X-Registry-Auth"));
  call.response.watch_client();
  call.engine.images().registry_remove(call.part(), auth, call.request.client_gone);
  call.reply(200, JsonObject{});
}

void push(Call& call) {
  engine::Images::PushRequest request{call.part(), call.query().get("tag"), call.since(46) ? call.json_platform() : "",
                                      api::decode_auth_header(call.request.headers.get("X-Registry-Auth"))};
  stream_progress(
      call, [&](const SendProgress& send) { call.engine.images().push(request, send, call.request.client_gone); });
}

// Since 1.48; several since 1.52.
std::vector<std::string> platforms(const Call& call) {
  if (!call.since(48)) return {};
  std::vector<std::string> named = call.json_platforms("platform");
  if (!call.since(52) && named.size() > 1) named.resize(1);
  return named;
}

void save(Call& call, const std::vector<std::string>& names) {
  call.response.watch_client();
  call.engine.images().save(
      names, platforms(call), [&] { return call.begin("application/x-tar"); }, call.request.client_gone);
}

void save_one(Call& call) { save(call, {call.part()}); }

void save_several(Call& call) {
  auto names = call.query().all("names");
  if (names.empty()) throw Error(ErrorKind::InvalidArgument, "no image is named");
  save(call, names);
}

void load(Call& call) {
  stream_progress(call, [&](const SendProgress& send) {
    call.engine.images().load(*call.request.body, platforms(call), call.query().boolean_or("quiet", true), send,
                              call.request.client_gone);
  });
}

void commit(Call& call) {
  const http::Query& query = call.query();
  engine::CommitRequest request{.container = query.get("container"),
                                .repository = query.get("repo"),
                                .tag = query.get("tag"),
                                .author = query.get("author"),
                                .comment = query.get("comment"),
                                .changes = query.all("changes"),
                                .pause = query.boolean_or("pause", true)};
  call.response.watch_client();
  call.reply(201, JsonObject{{"Id", call.engine.images().commit(request, call.request.client_gone)}});
}

constexpr Route kRoutes[] = {
    {"POST", "/images/{*}/push", push},
    {"POST", "/auth", login},
    {"GET", "/distribution/{*}/json", distribution},
    {"GET", "/proa/registry/{*}/tags", registry_tags},
    {"GET", "/proa/registry/{*}/referrers", registry_referrers},
    {"DELETE", "/proa/registry/{*}", registry_remove},
    {"POST", "/commit", commit},
    {"GET", "/images/get", save_several},
    {"GET", "/images/{*}/get", save_one},
    {"POST", "/images/load", load},
};

}  // namespace

std::span<const Route> image_transfer_routes() { return kRoutes; }

}  // namespace proa::server
