#include "oci/digest.h"

#include "base/error.h"
#include "base/id.h"
#include "base/text.h"

namespace proa::oci {

namespace {

constexpr std::string_view kPrefix = "sha256:";

bool is_hex(std::string_view text) {
  for (char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

}  // namespace

std::optional<Digest> Digest::try_parse(std::string_view text) {
  if (!text.starts_with(kPrefix) || !is_hex_id(text.substr(kPrefix.size()))) return std::nullopt;
  return Digest(std::string(text));
}

Digest Digest::parse(std::string_view text) {
  if (auto digest = try_parse(text)) return *digest;
  auto [algorithm, encoded] = cut(text, ':');
  if (encoded &&
      ((algorithm == "sha512" && encoded->size() == 128) || (algorithm == "sha384" && encoded->size() == 96)) &&
      is_hex(*encoded)) {
    throw Error(ErrorKind::NotImplemented, cat("unsupported digest algorithm: ", algorithm));
  }
  if (algorithm == "sha256" && encoded && is_hex(*encoded)) {
    throw Error(ErrorKind::InvalidArgument, "invalid checksum digest length");
  }
  throw Error(ErrorKind::InvalidArgument, "invalid checksum digest format");
}

Digest Digest::from_hex(std::string_view hex) { return parse(cat(kPrefix, hex)); }

}  // namespace proa::oci
