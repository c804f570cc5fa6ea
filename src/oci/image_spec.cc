#include "oci/image_spec.h"

#include <algorithm>

#include "base/error.h"
#include "base/json_codec.h"
#include "base/text.h"
#include "oci/image_document.h"

namespace proa::oci {

namespace {

// As the documents have them; the public types hold what was checked.
struct PlatformDocument {
  std::string architecture, os, variant, os_version;
  std::vector<std::string> os_features;
};
struct DescriptorDocument {
  std::string media_type, digest;
  std::optional<std::int64_t> size;
  std::vector<std::string> urls;
  std::map<std::string, std::string> annotations;
  std::optional<PlatformDocument> platform;
  std::string artifact_type;
};

}  // namespace

}  // namespace proa::oci

namespace proa::json {

using proa::oci::DescriptorDocument;
using proa::oci::PlatformDocument;

template <>
struct Fields<PlatformDocument> {
  static constexpr auto list = std::tuple{
      always("architecture", &PlatformDocument::architecture), always("os", &PlatformDocument::os),
      optional("os.version", &PlatformDocument::os_version), optional("os.features", &PlatformDocument::os_features),
      optional("variant", &PlatformDocument::variant)};
};
template <>
struct Fields<DescriptorDocument> {
  static constexpr auto list = std::tuple{always("mediaType", &DescriptorDocument::media_type),
                                          always("digest", &DescriptorDocument::digest),
                                          always("size", &DescriptorDocument::size),
                                          optional("urls", &DescriptorDocument::urls),
                                          optional("annotations", &DescriptorDocument::annotations),
                                          optional("platform", &DescriptorDocument::platform),
                                          optional("artifactType", &DescriptorDocument::artifact_type)};
};

}  // namespace proa::json

namespace proa::oci {

namespace media_type {
bool is_index(std::string_view type) { return type == kIndex || type == kDockerList; }
bool is_manifest(std::string_view type) { return type == kManifest || type == kDockerManifest; }
bool is_config(std::string_view type) { return type == kConfig || type == kDockerConfig; }
bool is_foreign(std::string_view type) {
  return type.starts_with("application/vnd.oci.image.layer.nondistributable.v1.tar") ||
         type.starts_with("application/vnd.docker.image.rootfs.foreign.diff.tar");
}
bool is_layer(std::string_view type) {
  if (is_foreign(type)) return true;
  for (std::string_view base : {kLayer, std::string_view("application/vnd.docker.image.rootfs.diff.tar")}) {
    if (!type.starts_with(base)) continue;
    std::string_view suffix = type.substr(base.size());
    return suffix.empty() || suffix == "+gzip" || suffix == "+zstd" || suffix == ".gzip" || suffix == ".zstd";
  }
  return false;
}
bool is_schema1(std::string_view type) { return type.starts_with("application/vnd.docker.distribution.manifest.v1+"); }
}  // namespace media_type

namespace {

[[noreturn]] void refuse(std::string message) { throw Error(ErrorKind::InvalidArgument, std::move(message)); }

[[noreturn]] void refuse_schema1() {
  throw Error(ErrorKind::NotImplemented,
              "Docker Image manifest version 2, schema 1 is not supported: the image must be pushed again by a newer "
              "builder (Docker manifest schema 2 or OCI)");
}

// "application/json; charset=utf-8" -> "application/json"; what says nothing about the document is "".
std::string_view bare_type(std::string_view claimed) {
  std::string_view bare = trim(cut(claimed, ';').first);
  return bare == "application/json" || bare == "application/octet-stream" || bare == "text/plain" ? "" : bare;
}

std::string type_of(const Json& document, std::string_view claimed) {
  claimed = bare_type(claimed);
  if (media_type::is_schema1(claimed)) refuse_schema1();
  const Json* version = json::find(document, "schemaVersion");
  if (!version || !version->is_int64()) refuse("manifest has no schemaVersion");
  if (version->get_int64() == 1) refuse_schema1();
  if (version->get_int64() != 2) refuse(cat("unknown manifest schemaVersion ", version->get_int64()));
  bool lists = json::find(document, "manifests") != nullptr;
  bool layered = json::find(document, "layers") || json::find(document, "config");
  if (json::find(document, "fsLayers")) refuse("manifest has both schema 1 and schema 2 members");
  if (lists && layered)
    refuse("document is both a manifest and an index: it has \"manifests\" and \"layers\" or \"config\"");
  if (!lists && !layered) refuse("document is neither a manifest nor an index");
  const Json* own = json::find(document, "mediaType");
  if (own && !own->is_string()) refuse("mediaType is not a string");
  std::string type(own ? std::string_view(own->get_string()) : claimed);
  if (type.empty()) type = lists ? media_type::kIndex : media_type::kManifest;
  if (!claimed.empty() && claimed != type) {
    refuse(cat("media type of the document (", type, ") is not the one it was given with (", claimed, ")"));
  }
  if (!media_type::is_index(type) && !media_type::is_manifest(type))
    refuse(cat("unsupported manifest media type ", type));
  if (media_type::is_index(type) != lists) refuse(cat("the document's members do not fit its media type ", type));
  return type;
}

Platform to_platform(const PlatformDocument& document) {
  return {document.os, document.architecture, document.variant, document.os_version, document.os_features};
}

Descriptor to_descriptor(DescriptorDocument&& document, std::string_view what) {
  return in_context(what, [&] {
    if (!document.size) refuse("descriptor has no size");
    if (*document.size < 0) refuse(cat("descriptor has a negative size: ", *document.size));
    if (document.media_type.empty()) refuse("descriptor has no mediaType");
    Descriptor descriptor;
    descriptor.digest = Digest::parse(document.digest);
    descriptor.media_type = std::move(document.media_type);
    descriptor.size = *document.size;
    descriptor.urls = std::move(document.urls);
    descriptor.annotations = std::move(document.annotations);
    descriptor.artifact_type = std::move(document.artifact_type);
    if (document.platform) descriptor.platform = to_platform(*document.platform);
    return descriptor;
  });
}

std::vector<Descriptor> descriptors_at(const Json& document, std::string_view key) {
  std::vector<DescriptorDocument> found;
  if (const Json* list = json::find(document, key)) json::decode_into(*list, found, key);
  std::vector<Descriptor> out;
  for (DescriptorDocument& one : found) out.push_back(to_descriptor(std::move(one), key));
  return out;
}

std::map<std::string, std::string> annotations_of(const Json& document) {
  const Json* value = json::find(document, "annotations");
  std::map<std::string, std::string> out;
  if (value) json::decode_into(*value, out, "annotations");
  return out;
}

}  // namespace

std::string manifest_type(std::string_view bytes, std::string_view claimed) {
  if (media_type::is_schema1(bare_type(claimed))) refuse_schema1();
  return type_of(parse_document(bytes, kMaxManifest, "manifest"), claimed);
}

Index parse_index(std::string_view bytes, std::string_view claimed) {
  Json document = parse_document(bytes, kMaxManifest, "image index");
  return in_context("image index", [&] {
    Index index;
    index.media_type = type_of(document, claimed);
    if (!media_type::is_index(index.media_type)) refuse(cat("it is a ", index.media_type));
    index.manifests = descriptors_at(document, "manifests");
    index.annotations = annotations_of(document);
    return index;
  });
}

Manifest parse_manifest(std::string_view bytes, std::string_view claimed) {
  Json document = parse_document(bytes, kMaxManifest, "manifest");
  return in_context("manifest", [&] {
    Manifest manifest;
    manifest.media_type = type_of(document, claimed);
    if (!media_type::is_manifest(manifest.media_type)) refuse(cat("it is a ", manifest.media_type));
    const Json* config = json::find(document, "config");
    if (!config) refuse("it has no config");
    manifest.config = to_descriptor(json::decode<DescriptorDocument>(*config, "config"), "config");
    manifest.layers = descriptors_at(document, "layers");
    manifest.annotations = annotations_of(document);
    if (json::find(document, "artifactType")) manifest.artifact_type = json::string_at(document, "artifactType");
    return manifest;
  });
}

Json to_json(const Descriptor& descriptor) {
  DescriptorDocument document;
  document.media_type = descriptor.media_type;
  document.digest = descriptor.digest.text();
  document.size = descriptor.size;
  document.urls = descriptor.urls;
  document.annotations = descriptor.annotations;
  document.artifact_type = descriptor.artifact_type;
  if (const auto& p = descriptor.platform) {
    document.platform = PlatformDocument{p->architecture, p->os, p->variant, p->os_version, p->os_features};
  }
  return json::encode(document);
}

std::string artifact_type(const Manifest& manifest) {
  constexpr std::string_view kStatement = "application/vnd.in-toto+json";
  const std::string& config = manifest.config.media_type;
  auto is_statement = [&](const Descriptor& layer) { return layer.media_type == kStatement; };
  bool attestation =
      !manifest.layers.empty() && std::all_of(manifest.layers.begin(), manifest.layers.end(), is_statement);
  if (attestation && manifest.artifact_type.empty()) return std::string(kStatement);
  // Early builders wrote "octet-stream" for an image's configuration.
  bool early = config == "application/octet-stream" && manifest.artifact_type.empty();
  if (!attestation && (media_type::is_config(config) || early)) return "";
  return manifest.artifact_type.empty() ? config : manifest.artifact_type;
}

Digest attested_by(const Descriptor& descriptor) {
  auto type = descriptor.annotations.find("vnd.docker.reference.type");
  auto digest = descriptor.annotations.find("vnd.docker.reference.digest");
  bool attestation = type != descriptor.annotations.end() && type->second == "attestation-manifest";
  if (!attestation || digest == descriptor.annotations.end()) return {};
  return Digest::try_parse(digest->second).value_or(Digest());
}

const Descriptor& choose_manifest(const Index& index, const Platform& wanted) {
  const Descriptor* best = nullptr;
  int best_rank = 0;
  std::string offered;
  for (const Descriptor& entry : index.manifests) {
    if (entry.annotations.count("vnd.docker.reference.type")) continue;
    if (entry.platform && entry.platform->os == "unknown" && entry.platform->architecture == "unknown") continue;
    if (!media_type::is_manifest(entry.media_type) && !media_type::is_index(entry.media_type)) continue;
    // An entry that names no platform may be for any; it is the last choice, as in dockerd.
    int rank = entry.platform ? preference(wanted, *entry.platform) : 1000;
    if (entry.platform) offered += cat(offered.empty() ? "" : ", ", entry.platform->text());
    if (rank >= 0 && (!best || rank < best_rank)) {
      best = &entry;
      best_rank = rank;
    }
  }
  if (best) return *best;
  if (offered.size() > 1000) offered = cat(offered.substr(0, 1000), "...");
  throw Error(ErrorKind::NotFound,
              cat("no matching manifest for ", wanted.normalized().text(), " in the manifest list entries (",
                  offered.empty() ? std::string("it names no platform") : cat("it has ", offered), ")"));
}

}  // namespace proa::oci
