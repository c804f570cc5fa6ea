// Answers that are one JSON document after the other: which of the forms the client reads (engine-api.md 5.4).
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "http/message.h"

namespace proa::server {

// Of application/jsonl, x-ndjson and json-seq the one that the client's Accept headers like best, the first of equals;
// "" where they name none of them.
std::string_view chosen_json_stream(const http::Headers& headers);

// A document as it goes out in a stream of this type.
std::string json_stream_item(std::string_view type, const Json& document);

}  // namespace proa::server
