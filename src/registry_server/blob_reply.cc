#include "registry_server/blob_reply.h"

#include <algorithm>

#include "base/text.h"
#include "registry_server/refusal.h"

namespace proa::registry_server {

namespace {

// One range of "bytes=..." (RFC 9110); nullopt: the whole is to be sent. Throws Refusal 416.
std::optional<BlobReply> range_of(const http::Request& request, std::uint64_t size, const oci::Digest& digest) {
  std::string_view header = request.headers.get("Range");
  if (auto condition = request.headers.find("If-Range"); condition && *condition != cat("\"", digest.text(), "\""))
    return std::nullopt;
  if (!header.starts_with("bytes=") || header.find(',') != header.npos) return std::nullopt;
  auto [first_text, last_text] = cut(header.substr(6), '-');
  if (!last_text) return std::nullopt;
  auto first = parse_int<std::uint64_t>(trim(first_text)), last = parse_int<std::uint64_t>(trim(*last_text));
  if (!first && last) {  // the last so many bytes
    std::uint64_t length = std::min(*last, size);
    if (length == 0) throw Refusal{416, "RANGE_INVALID", "the range is empty"};
    return BlobReply{206, size - length, length};
  }
  if (!first || (!last && !trim(*last_text).empty()) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) throw Refusal{416, "RANGE_INVALID", cat("the blob has ", size, " bytes")};
  std::uint64_t end = last ? std::min(*last + 1, size) : size;
  return BlobReply{206, *first, end - *first};
}

}  // namespace

std::optional<BlobReply> begin_blob(const http::Request& request, http::Response& response, const oci::Digest& digest,
                                    std::uint64_t size) {
  auto& headers = response.headers;
  headers.set("Docker-Content-Digest", digest.text());
  headers.set("Etag", cat("\"", digest.text(), "\""));
  headers.set("Accept-Ranges", "bytes");
  headers.set("Cache-Control", "max-age=31536000");
  std::string_view theirs = request.headers.get("If-None-Match");
  if (theirs.find(digest.text()) != theirs.npos) {
    response.whole(304, "");
    return std::nullopt;
  }
  headers.set("Content-Type", "application/octet-stream");
  BlobReply reply = range_of(request, size, digest).value_or(BlobReply{200, 0, size});
  if (reply.status == 206)
    headers.set("Content-Range", cat("bytes ", reply.first, "-", reply.first + reply.length - 1, "/", size));
  return reply;
}

}  // namespace proa::registry_server
