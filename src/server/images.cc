#include "api/images.h"

#include "base/text.h"
#include "engine/images.h"
#include "oci/reference.h"
#include "server/call.h"
#include "server/progress_stream.h"

namespace proa::server {
namespace {

void list(Call& call) {
  engine::Images::ListOptions options{.all = call.query().boolean("all"),
                                      .shared_size = call.query().boolean("shared-size")};
  JsonArray array;
  for (const auto& summary : call.engine.images().list(options, call.filters())) {
    Json value = api::to_json(summary);
    api::shape_image_summary(value, call.version);
    array.push_back(std::move(value));
  }
  call.reply(200, array);
}

void inspect(Call& call) {
  Json value = api::to_json(call.engine.images().inspect(call.part()));
  api::shape_image_inspect(value, call.version);
  call.reply(200, value);
}

void history(Call& call) {
  JsonArray array;
  for (const auto& item : call.engine.images().history(call.part())) array.push_back(api::to_json(item));
  call.reply(200, array);
}

void import(Call& call) {
  const http::Query& query = call.query();
  if (query.get("fromSrc") != "-")
    throw Error(ErrorKind::NotImplemented, "importing from a URL is not supported: send the archive itself");
  engine::ImportRequest request{.repository = query.get("repo"),
                                .tag = query.get("tag"),
                                .message = query.get("message"),
                                .platform = query.get("platform"),
                                .changes = query.all("changes")};
  stream_progress(call, [&](const SendProgress& send) {
    api::ProgressMessage message;
    message.status = call.engine.images().import(*call.request.body, request, call.request.client_gone);
    send(message);
  });
}

void pull(Call& call) {
  const http::Query& query = call.query();
  if (!query.get("fromSrc").empty()) return import(call);
  engine::PullRequest request;
  request.from_image = query.get("fromImage");
  if (request.from_image.empty()) throw Error(ErrorKind::InvalidArgument, "invalid reference format");
  while (request.from_image.ends_with(':')) request.from_image.pop_back();
  request.tag = query.get("tag");
  if (call.since(32)) request.platform = query.get("platform");
  request.auth = api::decode_auth_header(call.request.headers.get("X-Registry-Auth"));
  request.all_tags = request.tag.empty() && !oci::Reference::parse(request.from_image).has_digest() &&
                     oci::Reference::parse(request.from_image).tag.empty();
  stream_progress(
      call, [&](const SendProgress& send) { call.engine.images().pull(request, send, call.request.client_gone); });
}

void tag(Call& call) {
  call.engine.images().tag(call.part(), call.query().get("repo"), call.query().get("tag"));
  call.reply(201);
}

void remove(Call& call) {
  JsonArray array;
  for (const auto& item :
       call.engine.images().remove(call.part(), call.query().boolean("force"), call.query().boolean("noprune"))) {
    array.push_back(api::to_json(item));
  }
  call.reply(200, array);
}

void prune(Call& call) { call.reply(200, api::to_json(call.engine.images().prune(call.filters()))); }

constexpr Route kRoutes[] = {
    {"GET", "/images/json", list},        {"POST", "/images/create", pull},        {"POST", "/images/prune", prune},
    {"GET", "/images/{*}/json", inspect}, {"GET", "/images/{*}/history", history}, {"POST", "/images/{*}/tag", tag},
    {"DELETE", "/images/{*}", remove},
};

}  // namespace

std::span<const Route> image_routes() { return kRoutes; }

}  // namespace proa::server
