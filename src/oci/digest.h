// A content digest, "sha256:" and 64 hex digits: the name of every blob, layer and image (OCI image spec,
// descriptor.md).
#pragma once

#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace proa::oci {

// A value that is either empty or well formed; so its hex() may become a file name.
class Digest {
 public:
  Digest() = default;
  // Throws InvalidArgument ("invalid checksum digest format"), or NotImplemented for a registered algorithm that is not
  // sha256.
  static Digest parse(std::string_view text);
  // nullopt where parse() would throw.
  static std::optional<Digest> try_parse(std::string_view text);
  // From 64 hex digits. Throws InvalidArgument.
  static Digest from_hex(std::string_view hex);

  bool empty() const { return text_.empty(); }
  const std::string& text() const { return text_; }                                         // "sha256:ab12..."
  std::string_view hex() const { return std::string_view(text_).substr(empty() ? 0 : 7); }  // "ab12..."
  std::string_view short_hex() const { return hex().substr(0, 12); }

  friend auto operator<=>(const Digest&, const Digest&) = default;

 private:
  explicit Digest(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace proa::oci

template <>
struct std::hash<proa::oci::Digest> {
  std::size_t operator()(const proa::oci::Digest& digest) const noexcept {
    return std::hash<std::string>{}(digest.text());
  }
};
