#include "registry_server/blob_routes.h"

#include <unistd.h>

#include <algorithm>

#include "base/rollback.h"
#include "base/text.h"
#include "http/range.h"
#include "os/fd.h"
#include "registry_server/blob_reply.h"
#include "registry_server/refusal.h"

namespace proa::registry_server {

namespace {

constexpr std::size_t kPiece = 256 << 10;

[[noreturn]] void unknown_blob(const oci::Digest& digest) {
  throw Refusal{404, "BLOB_UNKNOWN", "blob unknown to registry", Json(digest.text())};
}

// A blob that is still coming from upstream, as far as it has come.
void relay(Exchange& exchange, Fetch& fetch, const BlobReply& part) {
  if (exchange.request.method == "HEAD")
    return exchange.response.file(part.status, fetch.file(), part.first, part.length);
  exchange.response.stream(part.status, part.length);
  std::string piece(kPiece, '\0');
  for (std::uint64_t at = part.first, end = part.first + part.length; at < end;) {
    std::uint64_t there = std::min(fetch.wait_beyond(at), end);
    ssize_t got =
        ::pread(fetch.file(), piece.data(), std::min<std::uint64_t>(piece.size(), there - at), static_cast<off_t>(at));
    if (os::check(got, "read of a blob") == 0) throw Error(ErrorKind::DataLoss, "a blob became shorter");
    exchange.response.write(std::string_view(piece).substr(0, static_cast<std::size_t>(got)));
    at += static_cast<std::uint64_t>(got);
  }
}

void get_blob(Exchange& exchange, const oci::Digest& digest) {
  Registry& registry = exchange.registry;
  std::shared_ptr<Fetch> fetch;
  if (registry.upstream) fetch = registry.upstream->want_blob(exchange.name, digest);
  bool will_refer = exchange.request.method == "HEAD" && !registry.read_only && !registry.upstream;
  bool known = fetch || (will_refer ? registry.repositories.promise_blob(exchange.name, digest)
                                    : registry.repositories.has_blob(exchange.name, digest));
  if (!known) unknown_blob(digest);
  os::Fd file = fetch ? os::Fd() : registry.blobs.open(digest);
  std::uint64_t size = fetch ? fetch->size() : registry.blobs.size(digest).value_or(0);
  auto reply = begin_blob(exchange.request, exchange.response, digest, size);
  if (!reply) return;
  if (exchange.request.method == "GET") registry.metrics.bytes_out += reply->length;
  if (fetch) return relay(exchange, *fetch, *reply);
  exchange.response.file(reply->status, file.get(), reply->first, reply->length);
}

void point_to(Exchange& exchange, const std::string& id, std::uint64_t size) {
  auto& headers = exchange.response.headers;
  headers.set("Location", cat("/v2/", exchange.name, "/blobs/uploads/", id));
  headers.set("Docker-Upload-UUID", id);
  headers.set("Range", cat("0-", size == 0 ? 0 : size - 1));
}

void created(Exchange& exchange, const oci::Digest& digest) {
  exchange.response.headers.set("Location", cat("/v2/", exchange.name, "/blobs/", digest.text()));
  exchange.response.headers.set("Docker-Content-Digest", digest.text());
  exchange.reply(201);
}

// Where the sender believes to be; nullopt where it does not say. Throws Refusal 416 where it names another length than
// the body's.
std::optional<std::uint64_t> offset_of(const http::Headers& headers) {
  std::string_view header = headers.get("Content-Range");
  if (header.empty()) return std::nullopt;
  auto range = http::parse_content_range(header);
  if (!range) throw Refusal{416, "RANGE_INVALID", "invalid Content-Range"};
  auto length = parse_int<std::uint64_t>(headers.get("Content-Length"));
  if (length && *length != range->length)
    throw Refusal{416, "RANGE_INVALID", "Content-Range and Content-Length contradict each other"};
  return range->first;
}

void append(Exchange& exchange, const std::string& id) {
  if (!exchange.request.has_body) return;
  Registry& registry = exchange.registry;
  std::uint64_t before = registry.uploads.size(exchange.name, id);
  try {
    auto offset = offset_of(exchange.request.headers);
    registry.metrics.bytes_in += registry.uploads.append(exchange.name, id, offset, *exchange.request.body) - before;
  } catch (const Refusal& refusal) {
    if (refusal.status == 416) point_to(exchange, id, before);  // where to go on
    throw;
  }
}

void finish(Exchange& exchange, const std::string& id, const oci::Digest& digest) {
  Registry& registry = exchange.registry;
  registry.uploads.finish(exchange.name, id, digest, [&] { registry.repositories.link_blob(exchange.name, digest); });
  created(exchange, digest);
}

// Is the blob in `from` ("": in any repository), may it be read there, and has it become this repository's?
bool mounts(Exchange& exchange, const std::string& from, const oci::Digest& digest) {
  Registry& registry = exchange.registry;
  auto may_read = [&](const std::string& repository) {
    return registry.access.permits(exchange.request, {"repository", repository, "pull"});
  };
  if (from.empty()) {
    if (registry.repositories.holder_of(digest, may_read).empty()) return false;
  } else if (!is_repository_name(from) || !registry.repositories.has_blob(from, digest) || !may_read(from)) {
    return false;
  }
  registry.repositories.link_blob(exchange.name, digest);
  return registry.blobs.has(digest);
}

// The whole blob in one request. What does not come to its end leaves nothing: nobody knows the upload's name.
void upload_whole(Exchange& exchange, const oci::Digest& digest) {
  std::string id = exchange.registry.uploads.begin(exchange.name);
  Rollback undo;
  undo.add([&] { exchange.registry.uploads.cancel(exchange.name, id); });
  append(exchange, id);
  undo.commit();
  finish(exchange, id, digest);
}

// What cannot be mounted, for whatever reason, is uploaded.
void begin_upload(Exchange& exchange) {
  auto mount = oci::Digest::try_parse(exchange.query("mount"));
  if (mount && mounts(exchange, exchange.query("from"), *mount)) return created(exchange, *mount);
  if (std::string whole = exchange.query("digest"); !whole.empty())
    return upload_whole(exchange, Exchange::digest(whole));
  point_to(exchange, exchange.registry.uploads.begin(exchange.name), 0);
  exchange.reply(202);
}

}  // namespace

void serve_blob(Exchange& exchange, const std::string& text) {
  oci::Digest digest = Exchange::digest(text);
  const std::string& method = exchange.request.method;
  if (method == "GET" || method == "HEAD") return get_blob(exchange, digest);
  if (method != "DELETE") exchange.refuse_method("GET, HEAD, DELETE");
  if (!exchange.registry.repositories.unlink_blob(exchange.name, digest)) unknown_blob(digest);
  exchange.reply(202);
}

void serve_upload(Exchange& exchange, const std::string& id) {
  Registry& registry = exchange.registry;
  const std::string& method = exchange.request.method;
  if (id.empty() && method == "POST") return begin_upload(exchange);
  if (id.empty()) exchange.refuse_method("POST");
  if (method == "PATCH") {
    append(exchange, id);
    point_to(exchange, id, registry.uploads.size(exchange.name, id));
    return exchange.reply(202);
  }
  if (method == "PUT") {
    oci::Digest digest = Exchange::digest(exchange.query("digest"));
    append(exchange, id);
    return finish(exchange, id, digest);
  }
  if (method == "GET" || method == "HEAD") {
    point_to(exchange, id, registry.uploads.size(exchange.name, id));
    return exchange.reply(204);
  }
  if (method != "DELETE") exchange.refuse_method("GET, HEAD, PATCH, PUT, DELETE");
  registry.uploads.cancel(exchange.name, id);
  exchange.reply(204);
}

}  // namespace proa::registry_server
