// Start lines, header blocks and framing of HTTP/1.1, read strictly (RFC 9112): what two readers could understand in
// two ways is refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/message.h"

namespace proa::http {

struct RequestHead {
  std::string method, target;
  int minor = 1;  // HTTP/1.minor
  Headers headers;
};
struct ResponseHead {
  int status = 0, minor = 1;
  std::string reason;
  Headers headers;
};

// `block` ends with the empty line. Throw InvalidArgument.
RequestHead parse_request_head(std::string_view block);
ResponseHead parse_response_head(std::string_view block);

struct Framing {
  enum class Kind { None, Length, Chunked, UntilClose } kind = Kind::None;
  std::uint64_t length = 0;
};

// Throws InvalidArgument for Content-Length beside Transfer-Encoding, several lengths, codings but chunked.
Framing request_framing(const RequestHead& head);
Framing response_framing(const ResponseHead& head, std::string_view method);
bool keeps_alive(int minor, const Headers& headers);

// "1a;ext" without its line end. Throws InvalidArgument.
std::uint64_t parse_chunk_size(std::string_view line);

std::string_view reason_of(int status);

}  // namespace proa::http
