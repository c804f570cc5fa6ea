// Names of images as people write them, and what they stand for ("busybox" is docker.io/library/busybox:latest).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "oci/digest.h"

namespace proa::oci {

struct Reference {
  std::string domain;  // "docker.io", "localhost:5000"
  std::string path;    // "library/busybox"
  std::string tag;     // "" where none was given
  Digest digest;       // empty where none was given

  // Normalizes a familiar name. Throws InvalidArgument with docker's texts.
  static Reference parse(std::string_view text);
  // `repository` without a tag of its own (docker pull's fromImage), and a tag or digest or nothing.
  static Reference parse(std::string_view repository, std::string_view tag_or_digest);

  // ":latest" added where there is neither tag nor digest.
  Reference with_default_tag() const;
  Reference without_digest() const;
  bool has_digest() const { return !digest.empty(); }

  std::string name() const;           // "docker.io/library/busybox"
  std::string familiar_name() const;  // "busybox", "localhost:5000/app"
  std::string text() const;           // canonical, with tag and digest
  std::string familiar() const;       // "busybox:latest", "localhost:5000/app@sha256:..."
  std::string tag_or_digest() const;  // what a registry is asked for: the digest where there is one

  friend bool operator==(const Reference&, const Reference&) = default;
};

// Throws InvalidArgument unless `tag` is [\w][\w.-]{0,127}.
void check_tag(std::string_view tag);

// What `docker inspect X` may mean: 64 hex digits or a digest are an ID, all else a name.
std::variant<Digest, Reference> parse_any_reference(std::string_view text);

}  // namespace proa::oci
