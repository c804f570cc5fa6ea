#include "api/images.h"

#include "base/text.h"
#include "engine/images.h"
#include "oci/reference.h"
#include "server/call.h"
#include "server/progress_stream.h"

namespace proa::server {
namespace {

// Since 1.47 and 1.48, to those who ask.
void add_manifests(Call& call, Json& value, std::string_view name, const std::string& platform = "",
                   bool identity = false) {
  bool wanted = identity || (call.since(47) && call.query().boolean("manifests"));
  if (!wanted && !call.since(48)) return;
  JsonObject all = call.engine.images().manifests(name, wanted, platform, identity);
  JsonObject& object = value.get_object();
  if (wanted) object["Manifests"] = std::move(all["Manifests"]);
  if (call.since(48) && all.contains("Descriptor")) object["Descriptor"] = std::move(all["Descriptor"]);
}

void list(Call& call) {
  engine::Images::ListOptions options{.all = call.query().boolean("all"),
                                      .shared_size = call.query().boolean("shared-size")};
  JsonArray array;
  for (const auto& summary : call.engine.images().list(options, call.filters())) {
    Json value = api::to_json(summary);
    api::shape_image_summary(value, call.version);
    add_manifests(call, value, summary.id, "", call.since(54) && call.query().boolean("identity"));
    array.push_back(std::move(value));
  }
  call.reply(200, array);
}

void inspect(Call& call) {
  std::string platform = call.since(49) ? call.json_platform() : "";
  if (!platform.empty() && call.query().boolean("manifests"))
    throw Error(ErrorKind::InvalidArgument, "conflicting options: manifests and platform options cannot both be set");
  Json value = api::to_json(call.engine.images().inspect(call.part(), platform));
  api::shape_image_inspect(value, call.version);
  add_manifests(call, value, call.part(), platform);
  if (JsonObject origin = call.since(53) ? call.engine.images().identity(call.part()) : JsonObject{}; !origin.empty())
    value.get_object()["Identity"] = std::move(origin);
  call.reply(200, value);
}

void history(Call& call) {
  JsonArray array;
  for (const auto& item : call.engine.images().history(call.part(), call.since(48) ? call.json_platform() : ""))
    array.push_back(api::to_json(item));
  call.reply(200, array);
}

void import(Call& call) {
  const http::Query& query = call.query();
  engine::ImportRequest request{.repository = query.get("repo"),
                                .tag = query.get("tag"),
                                .message = query.get("message"),
                                .platform = query.get("platform"),
                                .changes = query.all("changes")};
  stream_progress(call, [&](const SendProgress& send) {
    api::ProgressMessage message;
    std::string source = query.get("fromSrc");
    auto& images = call.engine.images();
    message.status = source == "-" ? images.import(*call.request.body, request, call.request.client_gone)
                                   : images.import_from(source, request, send, call.request.client_gone);
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
  engine::Images::RemoveOptions options{
      .force = call.query().boolean("force"), .no_prune = call.query().boolean("noprune"), .platforms = {}};
  if (call.since(50)) options.platforms = call.json_platforms("platforms");
  for (const auto& item : call.engine.images().remove(call.part(), options, call.request.client_gone))
    array.push_back(api::to_json(item));
  call.reply(200, array);
}

void tree(Call& call) {
  constexpr int kMost = 10'000;
  int files = call.query().get("files").empty() ? 3 : parse_int<int>(call.query().get("files")).value_or(-1);
  if (files < 0 || files > kMost)
    throw Error(ErrorKind::InvalidArgument,
                cat("files ", call.query().get("files"), " is outside the range of [0, ", kMost, "]"));
  call.reply(200, call.engine.images().tree(call.part(), static_cast<std::size_t>(files)));
}

void prune(Call& call) { call.reply(200, api::to_json(call.engine.images().prune(call.filters()))); }

void search(Call& call) {
  const http::Query& query = call.query();
  auto limit = query.get("limit").empty() ? 25 : parse_int<int>(query.get("limit")).value_or(0);
  auto auth = api::decode_auth_header(call.request.headers.get("X-Registry-Auth"));
  call.response.watch_client();
  JsonArray array;
  for (const auto& one :
       call.engine.images().search(query.get("term"), limit, call.filters(), auth, call.request.client_gone))
    array.push_back(api::to_json(one));
  call.reply(200, array);
}

constexpr Route kRoutes[] = {
    {"GET", "/images/search", search}, {"GET", "/images/json", list},        {"POST", "/images/create", pull},
    {"POST", "/images/prune", prune},  {"GET", "/images/{*}/json", inspect}, {"GET", "/images/{*}/history", history},
    {"POST", "/images/{*}/tag", tag},  {"DELETE", "/images/{*}", remove},    {"GET", "/proa/images/{*}/tree", tree},
};

}  // namespace

std::span<const Route> image_routes() { return kRoutes; }

}  // namespace proa::server
