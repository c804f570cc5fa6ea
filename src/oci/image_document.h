// The strict reading of documents that come from elsewhere. Before a document is decoded this refuses what could be
// read in two ways or break a reader: more than `limit` bytes, a byte order mark, invalid UTF-8, NUL in a string, lone
// surrogates, numbers that are none, nesting deeper than 64, and one key twice in an object.
#pragma once

#include <string_view>

#include "base/json.h"

namespace proa::oci {

// Throws InvalidArgument "<what>: ...". The document is an object.
Json parse_document(std::string_view bytes, std::size_t limit, std::string_view what);

}  // namespace proa::oci
