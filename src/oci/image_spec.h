// Images as registries hold them: indexes, manifests, configurations (OCI image spec 1.1, Docker image manifest v2
// schema 2). Parsing is strict, for a document must have one meaning (security.md 75, 82): see image_document.h for
// what is refused.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "oci/digest.h"
#include "oci/platform.h"

namespace proa::oci {

namespace media_type {
inline constexpr std::string_view kIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kLayer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
bool is_index(std::string_view type);
bool is_manifest(std::string_view type);
bool is_config(std::string_view type);
bool is_layer(std::string_view type);    // a file system layer that can be unpacked
bool is_foreign(std::string_view type);  // nondistributable
bool is_schema1(std::string_view type);
}  // namespace media_type

inline constexpr std::size_t kMaxManifest = 4 << 20;
inline constexpr std::size_t kMaxConfig = 16 << 20;

struct Descriptor {
  std::string media_type;
  Digest digest;
  std::int64_t size = 0;
  std::vector<std::string> urls;
  std::map<std::string, std::string> annotations;
  std::optional<Platform> platform;
  std::string artifact_type;
};

struct Index {
  std::string media_type;
  std::vector<Descriptor> manifests;
  std::map<std::string, std::string> annotations;
};

struct Manifest {
  std::string media_type;
  Descriptor config;
  std::vector<Descriptor> layers;  // bottom first
  std::map<std::string, std::string> annotations;
  std::string artifact_type;
};

struct Healthcheck {
  std::vector<std::string> test;  // {} inherit, {"NONE"}, {"CMD", ...}, {"CMD-SHELL", "..."}
  std::int64_t interval = 0, timeout = 0, start_period = 0, start_interval = 0;  // ns
  std::int64_t retries = 0;
};

struct EmptyObject {};  // the value of Go's map[string]struct{}

// What a container made of the image does unless told otherwise.
struct ImageDefaults {
  std::string user;
  std::map<std::string, EmptyObject> exposed_ports;  // "80/tcp"
  std::vector<std::string> env, entrypoint, cmd;
  std::map<std::string, EmptyObject> volumes;
  std::string working_dir;
  std::map<std::string, std::string> labels;
  std::string stop_signal;
  bool args_escaped = false;
  std::optional<Healthcheck> healthcheck;  // this and below: Docker's
  std::vector<std::string> on_build, shell;
};

struct HistoryEntry {
  std::string created, created_by, author, comment;
  bool empty_layer = false;
};

struct ImageConfig {
  std::string created, author;  // created: RFC 3339, as written
  Platform platform;
  ImageDefaults config;
  std::vector<Digest> diff_ids;  // bottom first
  std::vector<HistoryEntry> history;
  std::string docker_version, comment;  // of images that older builders made
};

// Each throws InvalidArgument. `claimed`: the media type of the response or descriptor ("" where there is none), which
// must agree with the document's own.
Index parse_index(std::string_view bytes, std::string_view claimed);
Manifest parse_manifest(std::string_view bytes, std::string_view claimed);
ImageConfig parse_image_config(std::string_view bytes);
std::string image_config_text(const ImageConfig& config);
// The media type of a manifest or index: the document's own, else `claimed`, else what its members say. Throws also for
// schema 1, for documents that are both, and for unknown types.
std::string manifest_type(std::string_view bytes, std::string_view claimed);

Json to_json(const ImageDefaults& defaults);  // names and order as in the configuration
ImageDefaults image_defaults_from_json(const Json& value);
Json to_json(const Descriptor& descriptor);

// Of what is no container image (image spec 1.1, "Guidelines for Artifact Usage"): its type, that of its configuration
// where it names none. Also an attestation's (in-toto statements for layers, though it has an image's configuration).
// "" for an image.
std::string artifact_type(const Manifest& manifest);
// Of an attestation in an index (BuildKit's annotations): the manifest that it is about; else empty.
Digest attested_by(const Descriptor& descriptor);

// The platform's manifest in an index: what builders attach (attestations, platform unknown/unknown) is passed over.
// Throws NotFound "no matching manifest for linux/s390x in the manifest list entries ...".
const Descriptor& choose_manifest(const Index& index, const Platform& wanted);

}  // namespace proa::oci
