// POST /registry/serve: this host's images to other hosts, by the distribution protocol, as long as the request lasts.
#include <condition_variable>
#include <mutex>

#include "base/log.h"
#include "base/text.h"
#include "engine/images.h"
#include "http/range.h"
#include "registry_server/blob_reply.h"
#include "registry_server/exchange.h"
#include "server/call.h"
#include "server/progress_stream.h"
#include "tls/server_tls.h"

namespace proa::server {
namespace {

using registry_server::Refusal;

struct Visit {
  engine::ImageOffer offer;
  http::Request& request;
  http::Response& response;

  void reply(int status, const std::string& text, std::string_view type = "application/json") {
    response.headers.set("Content-Type", type);
    response.whole(status, text);
  }
};

void serve_manifest(Visit& visit, const std::string& domain, const std::string& name, const std::string& reference) {
  auto manifest = visit.offer.manifest(domain, name, reference);
  if (!manifest) throw Refusal{404, "MANIFEST_UNKNOWN", "manifest unknown"};
  visit.response.headers.set("Docker-Content-Digest", manifest->digest.text());
  visit.response.headers.set("Etag", cat("\"", manifest->digest.text(), "\""));
  bool has_it = http::lists_tag(visit.request.headers.get("If-None-Match"), manifest->digest.text());
  if (has_it) return visit.response.whole(304, "");
  visit.reply(200, visit.offer.read(*manifest), manifest->media_type);
}

void serve_blob(Visit& visit, const std::string& text) {
  auto digest = oci::Digest::try_parse(text);
  if (!digest) throw Refusal{400, "DIGEST_INVALID", cat("invalid digest ", quoted(text))};
  auto file = visit.offer.open(*digest);
  if (!file) throw Refusal{404, "BLOB_UNKNOWN", "blob unknown to registry"};
  auto reply = registry_server::begin_blob(visit.request, visit.response, *digest, visit.offer.size(*digest));
  if (reply) visit.response.file(reply->status, file->get(), reply->first, reply->length);
}

JsonArray list_of(const std::vector<std::string>& names) {
  JsonArray out;
  for (const std::string& name : names) out.emplace_back(name);
  return out;
}

void dispatch(Visit& visit) {
  const std::string& path = visit.request.path;
  if (visit.request.method != "GET" && visit.request.method != "HEAD")
    throw Refusal{405, "UNSUPPORTED", "these are a host's images: they can be pulled"};
  if (path == "/v2/" || path == "/v2") return visit.reply(200, "{}");
  if (path == "/v2/_catalog")
    return visit.reply(200, json::text(JsonObject{{"repositories", list_of(visit.offer.repositories())}}));
  std::string name, kind, rest, domain = visit.request.query.get("ns");
  if (!registry_server::split_path(path, name, kind, rest)) throw Refusal{404, "NOT_FOUND", "no such page"};
  if (kind == "manifests") return serve_manifest(visit, domain, name, rest);
  if (kind == "blobs") return serve_blob(visit, rest);
  if (kind != "tags" || rest != "list") throw Refusal{404, "NOT_FOUND", "no such page"};
  auto tags = visit.offer.tags(domain, name);
  if (tags.empty()) throw Refusal{404, "NAME_UNKNOWN", "repository name not known to registry"};
  visit.reply(200, json::text(JsonObject{{"name", name}, {"tags", list_of(tags)}}));
}

void answer(engine::Engine& engine, http::Request& request, http::Response& response) {
  Visit visit{engine.images().offer(), request, response};
  response.headers.set("Docker-Distribution-API-Version", "registry/2.0");
  try {
    dispatch(visit);
  } catch (const Refusal& refusal) {
    visit.reply(refusal.status, registry_server::error_document(refusal));
  } catch (const Error& error) {
    if (response.started() || error.kind() == ErrorKind::Cancelled) throw;
    log::error("request failed", {{"path", request.path}, {"error", error.what()}});
    visit.reply(500, registry_server::error_document({500, "UNKNOWN", error.message()}));
  }
  engine.request_served();
}

void wait_for(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  condition.wait(lock, stop, [] { return false; });
}

void serve(Call& call) {
  const http::Query& query = call.query();
  std::string address = query.get("listen").empty() ? "tcp://127.0.0.1:5000" : query.get("listen");
  http::ServerOptions options;
  bool secure = !query.get("tls-cert").empty();
  if (secure) options.protect = tls::protect({query.get("tls-cert"), query.get("tls-key")});
  options.any_host = secure || query.boolean("plain-http");
  auto listeners = http::open_listeners(address, "", options.any_host ? http::Reach::Anywhere : http::Reach::Loopback);
  engine::Engine& engine = call.engine;
  http::Server server(
      [&engine](http::Request& request, http::Response& response) { answer(engine, request, response); },
      std::move(options));
  server.start(std::move(listeners));
  call.response.watch_client();
  stream_progress(call, [&](const SendProgress& send) {
    api::ProgressMessage message;
    message.status = cat("Serving this host's images on ", address, secure ? " (TLS)" : "");
    send(message);
    wait_for(call.request.client_gone);
  });
  server.stop(1);
}

constexpr Route kRoutes[] = {{"POST", "/registry/serve", serve}};

}  // namespace

std::span<const Route> registry_routes() { return kRoutes; }

}  // namespace proa::server
