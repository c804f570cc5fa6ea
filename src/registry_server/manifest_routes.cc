#include "registry_server/manifest_routes.h"

#include <algorithm>

#include "base/text.h"
#include "http/range.h"
#include "registry_server/referrers_page.h"
#include "registry_server/refusal.h"

namespace proa::registry_server {

namespace {

[[noreturn]] void unknown_manifest(const Exchange& exchange, const std::string& reference) {
  JsonObject detail{{"Tag", reference}};
  if (oci::Digest::try_parse(reference)) detail = JsonObject{{"Name", exchange.name}, {"Revision", reference}};
  throw Refusal{404, "MANIFEST_UNKNOWN", "manifest unknown", std::move(detail)};
}

void get_manifest(Exchange& exchange, const std::string& reference) {
  if (exchange.registry.upstream) exchange.registry.upstream->want_manifest(exchange.name, reference);
  auto found = exchange.registry.repositories.find(exchange.name, reference);
  if (!found) unknown_manifest(exchange, reference);
  auto& headers = exchange.response.headers;
  headers.set("Docker-Content-Digest", found->digest.text());
  headers.set("Etag", cat("\"", found->digest.text(), "\""));
  bool has_it = http::lists_tag(exchange.request.headers.get("If-None-Match"), found->digest.text());
  if (has_it) return exchange.response.whole(304, "");
  headers.set("Content-Type", found->media_type);
  exchange.reply(200, exchange.registry.blobs.read(found->digest, oci::kMaxManifest));
}

void put_manifest(Exchange& exchange, const std::string& reference) {
  std::string bytes;
  try {
    bytes = exchange.request.read_body(oci::kMaxManifest);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::InvalidArgument) throw;
    throw Refusal{413, "SIZE_INVALID", cat("a manifest has at most ", oci::kMaxManifest, " bytes")};
  }
  std::string type(trim(cut(exchange.request.headers.get("Content-Type"), ';').first));
  auto put = exchange.registry.repositories.put(exchange.name, reference, type, bytes);
  auto& headers = exchange.response.headers;
  headers.set("Location", cat("/v2/", exchange.name, "/manifests/", put.digest.text()));
  headers.set("Docker-Content-Digest", put.digest.text());
  if (!put.subject.empty()) headers.set("OCI-Subject", put.subject.text());
  exchange.reply(201);
}

}  // namespace

void serve_manifest(Exchange& exchange, const std::string& reference) {
  const std::string& method = exchange.request.method;
  if (method == "GET" || method == "HEAD") return get_manifest(exchange, reference);
  if (method == "PUT") return put_manifest(exchange, reference);
  if (method != "DELETE") exchange.refuse_method("GET, HEAD, PUT, DELETE");
  if (!exchange.registry.repositories.remove(exchange.name, reference)) unknown_manifest(exchange, reference);
  exchange.reply(202);
}

void serve_tags(Exchange& exchange) {
  Registry& registry = exchange.registry;
  std::string last = exchange.query("last");
  std::optional<std::vector<std::string>> theirs;
  if (registry.upstream) theirs = registry.upstream->tags(exchange.name);
  if (theirs) {
    std::sort(theirs->begin(), theirs->end());
    theirs->erase(theirs->begin(), std::upper_bound(theirs->begin(), theirs->end(), last));
  }
  auto tags = theirs ? std::move(*theirs) : registry.repositories.tags(exchange.name, last);
  if (tags.empty() && !theirs && !registry.repositories.exists(exchange.name)) {
    if (registry.upstream) throw Refusal{502, "UNAVAILABLE", "upstream does not answer"};
    throw Refusal{404, "NAME_UNKNOWN", "repository name not known to registry", JsonObject{{"name", exchange.name}}};
  }
  exchange.page("tags", cat("/v2/", exchange.name, "/tags/list"), std::move(tags), JsonObject{{"name", exchange.name}});
}

void serve_referrers(Exchange& exchange, const std::string& text) {
  std::string type = exchange.query("artifactType"), last = exchange.query("last");
  oci::Digest subject = Exchange::digest(text);
  Registry& registry = exchange.registry;
  ReferrersPage page(type);
  std::optional<std::vector<oci::Descriptor>> theirs;
  if (registry.upstream) theirs = registry.upstream->referrers(exchange.name, subject, type);
  if (theirs) {
    std::sort(theirs->begin(), theirs->end(), [](auto& a, auto& b) { return a.digest < b.digest; });
    for (const oci::Descriptor& one : *theirs)
      if (one.digest.text() > last && !page.add(one.digest.text(), oci::to_json(one))) break;
  } else {
    registry.repositories.referrers(exchange.name, subject, last, [&](const std::string& digest, Json&& descriptor) {
      return page.add(digest, std::move(descriptor));
    });
  }
  if (!type.empty()) exchange.response.headers.set("OCI-Filters-Applied", "artifactType");
  if (!page.next().empty()) {
    std::string filter = type.empty() ? "" : cat("artifactType=", http::percent_encode(type));
    exchange.link_next(cat("/v2/", exchange.name, "/referrers/", subject.text()), page.next(), filter);
  }
  exchange.response.headers.set("Content-Type", oci::media_type::kIndex);
  exchange.reply(200, page.document());
}

}  // namespace proa::registry_server
