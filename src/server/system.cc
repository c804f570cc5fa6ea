#include "api/system.h"
#include "api/disk_usage.h"

#include "base/text.h"
#include "engine/events.h"
#include "engine/explain.h"
#include "engine/system.h"
#include "server/call.h"
#include "server/json_stream.h"

namespace proa::server {
namespace {

void ping(Call& call) {
  http::Headers& headers = call.response.headers;
  headers.set("Builder-Version", "1");
  headers.set("Cache-Control", "no-cache, no-store, must-revalidate");
  headers.set("Pragma", "no-cache");
  headers.set("Swarm", "inactive");
  call.reply_text(200, call.request.method == "HEAD" ? "" : "OK");
}

void version(Call& call) { call.reply(200, api::to_json(call.engine.system().version())); }

void info(Call& call) {
  Json value = api::to_json(call.engine.system().info());
  api::shape_info(value, call.version);
  call.reply(200, value);
}

void disk_usage(Call& call) {
  engine::System::UsageOf wanted;
  bool build_cache = true;
  if (call.since(42) && call.query().has("type")) {
    wanted = {.images = false, .containers = false, .volumes = false};
    build_cache = false;
    for (const std::string& type : call.query().all("type")) {
      bool* kind = type == "image"         ? &wanted.images
                   : type == "container"   ? &wanted.containers
                   : type == "volume"      ? &wanted.volumes
                   : type == "build-cache" ? &build_cache
                                           : nullptr;
      if (!kind) throw Error(ErrorKind::InvalidArgument, cat("unknown object type: ", type));
      *kind = true;
    }
  }
  std::optional<bool> verbose;
  if (!call.query().get("verbose").empty()) verbose = call.query().boolean("verbose");
  api::DiskUsage usage = call.engine.system().disk_usage(wanted);
  usage.build_cache = build_cache;
  call.reply(200, api::disk_usage_reply(usage, verbose, call.version));
}

void events(Call& call) {
  engine::Events::Window window{.since = call.timestamp("since"), .until = call.timestamp("until")};
  if (window.since && window.until && *window.since > *window.until) {
    throw Error(ErrorKind::InvalidArgument, cat("`since` time (", call.query().get("since"),
                                                ") cannot be after `until` time (", call.query().get("until"), ")"));
  }
  std::string_view type = "application/json";
  if (call.since(52)) {
    type = chosen_json_stream(call.request.headers);
    if (type.empty()) type = "application/jsonl";
  }
  engine::Sink sink;
  auto send = [&](const api::Event& event) {
    Json value = api::to_json(event);
    api::shape_event(value, call.version);
    sink(json_stream_item(type, value));
  };
  call.response.watch_client();
  call.engine.events().read(
      window, call.filters(), [&] { sink = call.begin(type); }, send, call.request.client_gone);
}

void explain(Call& call) { call.reply(200, call.engine.explain().get(call.part())); }

void check(Call& call) {
  auto repair = call.query().boolean("repair") ? image::Repair::Yes : image::Repair::No;
  auto report = call.engine.system().check(repair);
  constexpr std::string_view kKinds[] = {"missing", "damaged", "unowned"};
  JsonArray findings;
  for (const auto& finding : report.findings) {
    JsonArray images;
    for (const auto& name : finding.needed_by) images.push_back(Json(name));
    findings.push_back(JsonObject{{"Kind", kKinds[static_cast<int>(finding.kind)]},
                                  {"Object", finding.object},
                                  {"NeededBy", std::move(images)},
                                  {"Repaired", finding.repaired}});
  }
  call.reply(200, JsonObject{{"Images", report.images},
                             {"Blobs", report.blobs},
                             {"BlobBytes", report.blob_bytes},
                             {"Layers", report.layers},
                             {"Findings", std::move(findings)}});
}

constexpr Route kRoutes[] = {
    {"GET", "/_ping", ping},
    {"HEAD", "/_ping", ping},
    {"GET", "/version", version},
    {"GET", "/info", info},
    {"GET", "/events", events},
    {"GET", "/system/df", disk_usage},
    {"GET", "/proa/explain/{}", explain},
    {"POST", "/proa/check", check},
};

}  // namespace

std::span<const Route> system_routes() { return kRoutes; }

}  // namespace proa::server
