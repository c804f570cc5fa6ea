#include "registry_server/blob_routes.h"

#include "base/text.h"
#include "registry_server/refusal.h"

namespace proa::registry_server {

namespace {

struct Range {
  std::uint64_t first = 0, length = 0;
};

// One range of "bytes=..." (RFC 9110); nullopt: the whole is to be sent. Throws Refusal 416.
std::optional<Range> range_of(std::string_view header, std::uint64_t size) {
  if (!header.starts_with("bytes=") || header.find(',') != header.npos) return std::nullopt;
  auto [first_text, last_text] = cut(header.substr(6), '-');
  if (!last_text) return std::nullopt;
  auto first = parse_int<std::uint64_t>(trim(first_text)), last = parse_int<std::uint64_t>(trim(*last_text));
  if (!first && last) {  // the last so many bytes
    std::uint64_t length = std::min(*last, size);
    if (length == 0) throw Refusal{416, "RANGE_INVALID", "the range is empty"};
    return Range{size - length, length};
  }
  if (!first || (!last && !trim(*last_text).empty()) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) throw Refusal{416, "RANGE_INVALID", cat("the blob has ", size, " bytes")};
  std::uint64_t end = last ? std::min(*last + 1, size) : size;
  return Range{*first, end - *first};
}

void get_blob(Exchange& exchange, const oci::Digest& digest) {
  Registry& registry = exchange.registry;
  auto size = registry.blobs.size(digest);
  if (!size || !registry.repositories.has_blob(exchange.name, digest))
    throw Refusal{404, "BLOB_UNKNOWN", "blob unknown to registry"};
  auto& headers = exchange.response.headers;
  headers.set("Docker-Content-Digest", digest.text());
  headers.set("Etag", cat("\"", digest.text(), "\""));
  headers.set("Accept-Ranges", "bytes");
  headers.set("Cache-Control", "max-age=31536000");
  std::string_view known = exchange.request.headers.get("If-None-Match");
  if (known.find(digest.text()) != known.npos) return exchange.response.whole(304, "");
  headers.set("Content-Type", "application/octet-stream");
  auto range = range_of(exchange.request.headers.get("Range"), *size);
  if (range)
    headers.set("Content-Range", cat("bytes ", range->first, "-", range->first + range->length - 1, "/", *size));
  Range part = range.value_or(Range{0, *size});
  if (exchange.request.method == "GET") registry.bytes_out += part.length;
  exchange.response.file(range ? 206 : 200, registry.blobs.open(digest).get(), part.first, part.length);
}

void point_to(Exchange& exchange, const std::string& id, std::uint64_t size) {
  auto& headers = exchange.response.headers;
  headers.set("Location", cat("/v2/", exchange.name, "/blobs/uploads/", id));
  headers.set("Docker-Upload-UUID", id);
  headers.set("Range", cat("0-", size == 0 ? 0 : size - 1));
}

void created(Exchange& exchange, const oci::Digest& digest) {
  exchange.registry.repositories.link_blob(exchange.name, digest);
  exchange.response.headers.set("Location", cat("/v2/", exchange.name, "/blobs/", digest.text()));
  exchange.response.headers.set("Docker-Content-Digest", digest.text());
  exchange.reply(201);
}

// "100-199" of Content-Range; nullopt where there is none.
std::optional<std::uint64_t> offset_of(std::string_view header) {
  if (header.starts_with("bytes ")) header.remove_prefix(6);
  if (header.empty()) return std::nullopt;
  auto first = parse_int<std::uint64_t>(trim(cut(header, '-').first));
  if (!first) throw Refusal{416, "BLOB_UPLOAD_INVALID", "invalid Content-Range"};
  return first;
}

void append(Exchange& exchange, const std::string& id) {
  if (!exchange.request.has_body) return;
  Registry& registry = exchange.registry;
  std::uint64_t before = registry.uploads.size(exchange.name, id);
  auto offset = offset_of(exchange.request.headers.get("Content-Range"));
  registry.bytes_in += registry.uploads.append(exchange.name, id, offset, *exchange.request.body) - before;
}

void begin_upload(Exchange& exchange) {
  Registry& registry = exchange.registry;
  if (std::string mount = exchange.query("mount"); !mount.empty()) {
    oci::Digest digest = Exchange::digest(mount);
    std::string from = exchange.query("from");
    if (is_repository_name(from) && registry.repositories.has_blob(from, digest)) return created(exchange, digest);
  }
  std::string id = registry.uploads.begin(exchange.name);
  if (std::string whole = exchange.query("digest"); !whole.empty()) {
    oci::Digest digest = Exchange::digest(whole);
    append(exchange, id);
    registry.uploads.finish(exchange.name, id, digest);
    return created(exchange, digest);
  }
  point_to(exchange, id, 0);
  exchange.reply(202);
}

}  // namespace

void serve_blob(Exchange& exchange, const std::string& text) {
  oci::Digest digest = Exchange::digest(text);
  const std::string& method = exchange.request.method;
  if (method == "GET" || method == "HEAD") return get_blob(exchange, digest);
  if (method != "DELETE") throw Refusal{405, "UNSUPPORTED", "the operation is unsupported"};
  if (!exchange.registry.repositories.unlink_blob(exchange.name, digest))
    throw Refusal{404, "BLOB_UNKNOWN", "blob unknown to registry"};
  exchange.reply(202);
}

void serve_upload(Exchange& exchange, const std::string& id) {
  Registry& registry = exchange.registry;
  const std::string& method = exchange.request.method;
  if (id.empty() && method == "POST") return begin_upload(exchange);
  if (method == "PATCH") {
    append(exchange, id);
    point_to(exchange, id, registry.uploads.size(exchange.name, id));
    return exchange.reply(202);
  }
  if (method == "PUT") {
    oci::Digest digest = Exchange::digest(exchange.query("digest"));
    append(exchange, id);
    registry.uploads.finish(exchange.name, id, digest);
    return created(exchange, digest);
  }
  if (method == "GET" || method == "HEAD") {
    point_to(exchange, id, registry.uploads.size(exchange.name, id));
    return exchange.reply(204);
  }
  if (method != "DELETE") throw Refusal{405, "UNSUPPORTED", "the operation is unsupported"};
  registry.uploads.cancel(exchange.name, id);
  exchange.reply(204);
}

}  // namespace proa::registry_server
