#include "registry_server/serve.h"

#include <algorithm>

#include "base/log.h"
#include "base/rollback.h"
#include "base/text.h"
#include "os/file.h"
#include "registry_server/blob_routes.h"
#include "registry_server/exchange.h"
#include "registry_server/manifest_routes.h"
#include "registry_server/refusal.h"

namespace proa::registry_server {

namespace {

void catalogue(Exchange& exchange) {
  constexpr std::size_t kMost = 1000;  // docker-registry's; of tags the specification wants as many as are asked for
  exchange.page("repositories", "/v2/_catalog", exchange.registry.repositories.catalogue(exchange.query("last")), {},
                kMost);
}

// docker search: repositories whose name has the words in it.
void search(Exchange& exchange) {
  constexpr std::size_t kMost = 100;
  std::string wanted = to_lower(exchange.query("q"));
  std::size_t most = std::min(parse_int<std::size_t>(exchange.query("n")).value_or(25), kMost);
  JsonArray results;
  for (const std::string& name : exchange.registry.repositories.catalogue("")) {
    if (results.size() == most) break;
    if (name.find(wanted) == name.npos) continue;
    results.push_back(JsonObject{
        {"name", name}, {"description", ""}, {"is_official", false}, {"is_automated", false}, {"star_count", 0}});
  }
  std::size_t count = results.size();
  exchange.reply(200, json::text(JsonObject{
                          {"query", exchange.query("q")}, {"num_results", count}, {"results", std::move(results)}}));
}

void dispatch(Exchange& exchange) {
  const std::string& path = exchange.request.path;
  const std::string& method = exchange.request.method;
  const Access& access = exchange.registry.access;
  bool reads = method == "GET" || method == "HEAD";
  if (path == "/token" && (method == "GET" || method == "POST")) return access.serve_token(exchange);
  if (path == "/v2/" || path == "/v2") {
    access.check(exchange, {});
    if (!reads) exchange.refuse_method("GET, HEAD");
    return exchange.reply(200, "{}");
  }
  if (path == "/" && reads) return exchange.reply(200);  // is it there?
  if (path == "/v2/_catalog" || path == "/v1/search") {
    access.check(exchange, {"registry", "catalog", "*"});
    if (!reads) exchange.refuse_method("GET, HEAD");
    return path == "/v1/search" ? search(exchange) : catalogue(exchange);
  }
  std::string kind, rest;
  bool known = split_path(path, exchange.name, kind, rest);
  bool named = known && is_repository_name(exchange.name);
  std::string action = reads ? "pull" : method == "DELETE" && kind != "blobs/uploads" ? "delete" : "push";
  if (kind == "blobs/uploads") action = "push";
  access.check(exchange, named ? Wanted{"repository", exchange.name, action} : Wanted{});
  if (!known) throw Refusal{404, "NOT_FOUND", "no such page"};
  if (!named) throw Refusal{400, "NAME_INVALID", "invalid repository name"};
  if (exchange.registry.read_only && !reads) throw Refusal{405, "UNSUPPORTED", "this registry is read-only"};
  if (exchange.registry.upstream && action == "push") throw Refusal{405, "UNSUPPORTED", "this registry is a cache"};
  if (kind == "manifests") return serve_manifest(exchange, rest);
  bool listing = kind == "referrers" || (kind == "tags" && rest == "list");
  if (listing && !reads) exchange.refuse_method("GET, HEAD");
  if (listing) return kind == "tags" ? serve_tags(exchange) : serve_referrers(exchange, rest);
  if (kind == "blobs/uploads") return serve_upload(exchange, rest);
  if (kind == "blobs") return serve_blob(exchange, rest);
  throw Refusal{404, "NOT_FOUND", "no such page"};
}

// Throws Cancelled where the answer has begun: to end the connection is the only way left to say no.
void refuse(Exchange& exchange, const Refusal& refusal) {
  ++exchange.registry.metrics.refused;
  if (exchange.response.started()) throw Error(ErrorKind::Cancelled, refusal.message);
  exchange.reply(refusal.status, error_document(refusal));
}

void answer(Exchange& exchange) {
  http::Response& response = exchange.response;
  if (exchange.request.path == "/metrics") {
    response.headers.set("Content-Type", "text/plain; version=0.0.4");
    return response.whole(200, metrics_text(exchange.registry));
  }
  response.headers.set("Docker-Distribution-API-Version", "registry/2.0");
  response.headers.set("X-Content-Type-Options", "nosniff");
  try {
    dispatch(exchange);
  } catch (const Refusal& refusal) {
    refuse(exchange, refusal);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::Cancelled) throw;
    bool theirs = error.kind() == ErrorKind::InvalidArgument || error.kind() == ErrorKind::NotImplemented;
    if (!theirs) log::error("request failed", {{"path", exchange.request.path}, {"error", error.what()}});
    refuse(exchange, {theirs ? 400 : 500, theirs ? "UNSUPPORTED" : "UNKNOWN", error.message()});
  }
}

void serve(Registry& registry, http::Request& request, http::Response& response) {
  Metrics& metrics = registry.metrics;
  ++metrics.requests;
  ++metrics.in_flight;
  Rollback counted;
  counted.add([&] {
    --metrics.in_flight;
    ++metrics.answered[static_cast<std::size_t>(response.status / 100) % metrics.answered.size()];
  });
  Exchange exchange{registry, request, response, ""};
  answer(exchange);
}

}  // namespace

Registry::Registry(const Settings& settings)
    : blobs((os::make_dirs(settings.root, 0700), os::path_join(settings.root, "content"))),
      database(os::path_join(settings.root, "registry.db")),
      repositories(blobs, database, std::chrono::seconds(settings.gc_grace_seconds)),
      uploads(os::path_join(settings.root, "uploads"), blobs),
      access(settings, settings.root),
      read_only(settings.read_only),
      secure(!settings.tls_certificate.empty()) {
  database.accept_losses();
  if (!settings.upstream.empty()) upstream = std::make_unique<Upstream>(settings, blobs, repositories, metrics);
}

http::Handler make_handler(Registry& registry) {
  return [&registry](http::Request& request, http::Response& response) { serve(registry, request, response); };
}

}  // namespace proa::registry_server
