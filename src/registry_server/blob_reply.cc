#include "registry_server/blob_reply.h"

#include "base/text.h"
#include "http/range.h"
#include "registry_server/refusal.h"

namespace proa::registry_server {

namespace {

// nullopt: the whole. Throws Refusal 416, with the length that there is in a header.
std::optional<http::ByteRange> range_of(const http::Request& request, http::Headers& reply, std::uint64_t size,
                                        std::string_view tag) {
  if (auto condition = request.headers.find("If-Range"); condition && *condition != tag) return std::nullopt;
  std::string_view header = request.headers.get("Range");
  auto range = http::parse_range(header, size);
  // Several ranges, and units that are not bytes, are passed over.
  bool unreadable = !range && header.starts_with("bytes=") && header.find(',') == header.npos;
  if (unreadable || (range && range->length == 0)) {
    reply.set("Content-Range", cat("bytes */", size));
    throw Refusal{416, "RANGE_INVALID",
                  cat(unreadable ? "the range cannot be read; " : "", "the blob has ", size, " bytes")};
  }
  return range;
}

}  // namespace

std::optional<BlobReply> begin_blob(const http::Request& request, http::Response& response, const oci::Digest& digest,
                                    std::uint64_t size) {
  auto& headers = response.headers;
  std::string tag = cat("\"", digest.text(), "\"");
  headers.set("Docker-Content-Digest", digest.text());
  headers.set("Etag", tag);
  headers.set("Accept-Ranges", "bytes");
  bool has_it = http::lists_tag(request.headers.get("If-None-Match"), digest.text());
  auto range = has_it ? std::nullopt : range_of(request, headers, size, tag);
  headers.set("Cache-Control", "max-age=31536000");
  if (has_it) {
    response.whole(304, "");
    return std::nullopt;
  }
  headers.set("Content-Type", "application/octet-stream");
  if (!range) return BlobReply{200, 0, size};
  headers.set("Content-Range", cat("bytes ", range->first, "-", range->first + range->length - 1, "/", size));
  return BlobReply{206, range->first, range->length};
}

}  // namespace proa::registry_server
