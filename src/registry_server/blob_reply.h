// How a blob, or a range of it, is answered.
#pragma once

#include <cstdint>
#include <optional>

#include "http/server.h"
#include "oci/digest.h"

namespace proa::registry_server {

struct BlobReply {
  int status = 200;  // or 206
  std::uint64_t first = 0, length = 0;
};

// Sets the headers. nullopt: it is answered already (304). Throws Refusal 416.
std::optional<BlobReply> begin_blob(const http::Request& request, http::Response& response, const oci::Digest& digest,
                                    std::uint64_t size);

}  // namespace proa::registry_server
