#include "registry_server/serve.h"

#include "base/log.h"
#include "base/text.h"
#include "os/file.h"
#include "registry_server/blob_routes.h"
#include "registry_server/exchange.h"
#include "registry_server/manifest_routes.h"
#include "registry_server/refusal.h"

namespace proa::registry_server {

namespace {

// "/v2/<name>/<kind>/<rest>": the last "/manifests/", "/blobs/", "/tags/" or "/referrers/" ends the name.
bool split_path(const std::string& path, std::string& name, std::string& kind, std::string& rest) {
  constexpr std::string_view kPrefix = "/v2/";
  for (std::string_view word : {"blobs/uploads", "blobs", "manifests", "tags", "referrers"}) {
    std::string middle = cat("/", word, "/");
    std::size_t at = path.rfind(middle);
    if (at == path.npos || at < kPrefix.size()) continue;
    name = path.substr(kPrefix.size(), at - kPrefix.size());
    kind = word;
    rest = path.substr(at + middle.size());
    return true;
  }
  return false;
}

void metrics(Registry& registry, http::Response& response) {
  response.headers.set("Content-Type", "text/plain; version=0.0.4");
  auto line = [](std::string_view name, std::string_view help, std::uint64_t value) {
    return cat("# HELP ", name, " ", help, "\n# TYPE ", name, " counter\n", name, " ", value, "\n");
  };
  response.whole(200, cat(line("proa_registry_requests_total", "Requests answered.", registry.requests),
                          line("proa_registry_refused_total", "Requests refused.", registry.refused),
                          line("proa_registry_received_bytes_total", "Bytes of blobs received.", registry.bytes_in),
                          line("proa_registry_sent_bytes_total", "Bytes of blobs sent.", registry.bytes_out)));
}

void catalogue(Exchange& exchange) {
  exchange.page("repositories", "/v2/_catalog", exchange.registry.repositories.catalogue(exchange.query("last")), {});
}

void dispatch(Exchange& exchange) {
  const std::string& path = exchange.request.path;
  const std::string& method = exchange.request.method;
  if (path == "/v2/" || path == "/v2") return exchange.reply(200, "{}");
  if (path == "/v2/_catalog" && method == "GET") return catalogue(exchange);
  std::string kind, rest;
  if (!split_path(path, exchange.name, kind, rest)) throw Refusal{404, "NOT_FOUND", "no such page"};
  if (!is_repository_name(exchange.name)) throw Refusal{400, "NAME_INVALID", "invalid repository name"};
  bool reads = method == "GET" || method == "HEAD";
  if (exchange.registry.read_only && !reads) throw Refusal{405, "UNSUPPORTED", "this registry is read-only"};
  if (kind == "manifests") return serve_manifest(exchange, rest);
  if (kind == "tags" && rest == "list" && reads) return serve_tags(exchange);
  if (kind == "referrers" && reads) return serve_referrers(exchange, rest);
  if (kind == "blobs/uploads") return serve_upload(exchange, rest);
  if (kind == "blobs") return serve_blob(exchange, rest);
  throw Refusal{404, "NOT_FOUND", "no such page"};
}

void refuse(Exchange& exchange, const Refusal& refusal) {
  ++exchange.registry.refused;
  if (exchange.response.started()) return;
  JsonObject error{{"code", refusal.code}, {"message", refusal.message}, {"detail", nullptr}};
  exchange.reply(refusal.status, json::text(JsonObject{{"errors", JsonArray{std::move(error)}}}));
}

void serve(Registry& registry, http::Request& request, http::Response& response) {
  Exchange exchange{registry, request, response, ""};
  ++registry.requests;
  if (request.path == "/metrics") return metrics(registry, response);
  response.headers.set("Docker-Distribution-API-Version", "registry/2.0");
  response.headers.set("X-Content-Type-Options", "nosniff");
  try {
    if (registry.users && !registry.users->admits(request.headers.get("Authorization"))) {
      response.headers.set("WWW-Authenticate", "Basic realm=\"proa-registry\"");
      throw Refusal{401, "UNAUTHORIZED", "authentication required"};
    }
    dispatch(exchange);
  } catch (const Refusal& refusal) {
    refuse(exchange, refusal);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::Cancelled) throw;
    bool theirs = error.kind() == ErrorKind::InvalidArgument || error.kind() == ErrorKind::NotImplemented;
    if (!theirs) log::error("request failed", {{"path", request.path}, {"error", error.what()}});
    refuse(exchange, {theirs ? 400 : 500, theirs ? "UNSUPPORTED" : "UNKNOWN", error.message()});
  }
}

}  // namespace

Registry::Registry(const std::string& root)
    : blobs((os::make_dirs(root, 0700), os::path_join(root, "content"))),
      database(os::path_join(root, "registry.db")),
      repositories(blobs, database),
      uploads(os::path_join(root, "uploads"), blobs) {}

http::Handler make_handler(Registry& registry) {
  return [&registry](http::Request& request, http::Response& response) { serve(registry, request, response); };
}

}  // namespace proa::registry_server
