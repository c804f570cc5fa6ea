// The image configuration: what of it Proa reads, and its JSON.
#include "base/error.h"
#include "base/json_codec.h"
#include "base/text.h"
#include "oci/image_document.h"
#include "oci/image_spec.h"

namespace proa::oci {

namespace {

struct RootfsDocument {
  std::string type;
  std::vector<std::string> diff_ids;
};
struct ConfigDocument {
  std::string created, author, architecture, variant, os, os_version, docker_version, comment;
  std::vector<std::string> os_features;
  ImageDefaults config;
  RootfsDocument rootfs;
  std::vector<HistoryEntry> history;
};

constexpr std::size_t kMaxLayers = 4096;

}  // namespace

}  // namespace proa::oci

namespace proa::json {

using namespace proa::oci;

template <>
struct Fields<EmptyObject> {
  static constexpr auto list = std::tuple{};
};
template <>
Json encode(const EmptyObject&) {
  return JsonObject();
}
template <>
void decode_into(const Json& from, EmptyObject&, std::string_view where) {
  if (!from.is_object() && !from.is_null()) codec::wrong_type(where, "object", from);
}
template <>
struct Fields<Healthcheck> {
  static constexpr auto list = std::tuple{optional("Test", &Healthcheck::test),
                                          optional("Interval", &Healthcheck::interval),
                                          optional("Timeout", &Healthcheck::timeout),
                                          optional("StartPeriod", &Healthcheck::start_period),
                                          optional("StartInterval", &Healthcheck::start_interval),
                                          optional("Retries", &Healthcheck::retries)};
};
template <>
struct Fields<ImageDefaults> {
  static constexpr auto list = std::tuple{optional("User", &ImageDefaults::user),
                                          optional("ExposedPorts", &ImageDefaults::exposed_ports),
                                          optional("Env", &ImageDefaults::env),
                                          optional("Entrypoint", &ImageDefaults::entrypoint),
                                          optional("Cmd", &ImageDefaults::cmd),
                                          optional("Healthcheck", &ImageDefaults::healthcheck),
                                          optional("Volumes", &ImageDefaults::volumes),
                                          optional("WorkingDir", &ImageDefaults::working_dir),
                                          optional("Labels", &ImageDefaults::labels),
                                          optional("StopSignal", &ImageDefaults::stop_signal),
                                          optional("ArgsEscaped", &ImageDefaults::args_escaped),
                                          optional("OnBuild", &ImageDefaults::on_build),
                                          optional("Shell", &ImageDefaults::shell)};
};
template <>
struct Fields<RootfsDocument> {
  static constexpr auto list =
      std::tuple{always("type", &RootfsDocument::type), always("diff_ids", &RootfsDocument::diff_ids)};
};
template <>
struct Fields<HistoryEntry> {
  static constexpr auto list =
      std::tuple{optional("created", &HistoryEntry::created), optional("created_by", &HistoryEntry::created_by),
                 optional("author", &HistoryEntry::author), optional("comment", &HistoryEntry::comment),
                 optional("empty_layer", &HistoryEntry::empty_layer)};
};
template <>
struct Fields<ConfigDocument> {
  static constexpr auto list = std::tuple{optional("created", &ConfigDocument::created),
                                          optional("author", &ConfigDocument::author),
                                          always("architecture", &ConfigDocument::architecture),
                                          optional("variant", &ConfigDocument::variant),
                                          always("os", &ConfigDocument::os),
                                          optional("os.version", &ConfigDocument::os_version),
                                          optional("os.features", &ConfigDocument::os_features),
                                          optional("docker_version", &ConfigDocument::docker_version),
                                          optional("comment", &ConfigDocument::comment),
                                          always("config", &ConfigDocument::config),
                                          always("rootfs", &ConfigDocument::rootfs),
                                          optional("history", &ConfigDocument::history)};
};

}  // namespace proa::json

namespace proa::oci {

ImageConfig parse_image_config(std::string_view bytes) {
  Json value = parse_document(bytes, kMaxConfig, "image configuration");
  return in_context("image configuration", [&] {
    auto document = json::decode<ConfigDocument>(value);
    if (!json::find(value, "rootfs")) throw Error(ErrorKind::InvalidArgument, "it has no rootfs");
    if (document.rootfs.type != "layers") {
      throw Error(ErrorKind::InvalidArgument, cat("unknown rootfs type ", quoted(document.rootfs.type)));
    }
    if (document.rootfs.diff_ids.size() > kMaxLayers) {
      throw Error(ErrorKind::InvalidArgument, cat("more than ", kMaxLayers, " layers"));
    }
    ImageConfig out;
    out.created = std::move(document.created);
    out.author = std::move(document.author);
    out.docker_version = std::move(document.docker_version);
    out.comment = std::move(document.comment);
    out.platform = {document.os, document.architecture, document.variant, document.os_version, document.os_features};
    if (out.platform.os.empty()) out.platform.os = "linux";  // images of very old builders
    out.config = std::move(document.config);
    for (const std::string& diff_id : document.rootfs.diff_ids) out.diff_ids.push_back(Digest::parse(diff_id));
    out.history = std::move(document.history);
    return out;
  });
}

std::string image_config_text(const ImageConfig& config) {
  ConfigDocument out;
  out.created = config.created;
  out.author = config.author;
  out.docker_version = config.docker_version;
  out.comment = config.comment;
  out.os = config.platform.os;
  out.architecture = config.platform.architecture;
  out.variant = config.platform.variant;
  out.os_version = config.platform.os_version;
  out.os_features = config.platform.os_features;
  out.config = config.config;
  out.rootfs.type = "layers";
  for (const Digest& diff_id : config.diff_ids) out.rootfs.diff_ids.push_back(diff_id.text());
  out.history = config.history;
  return json::text(json::encode(out));
}

Json to_json(const ImageDefaults& defaults) { return json::encode(defaults); }

ImageDefaults image_defaults_from_json(const Json& value) { return json::decode<ImageDefaults>(value, "config"); }

}  // namespace proa::oci
