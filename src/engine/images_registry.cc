// What the engine does with registries besides pulling.
#include <algorithm>

#include "base/text.h"
#include "base/trace.h"
#include "engine/events.h"
#include "engine/image_progress.h"
#include "engine/images.h"
#include "engine/rooms.h"
#include "image/push.h"
#include "registry/client.h"
#include "registry/login.h"
#include "registry/search.h"

namespace proa::engine {

void Images::push(const PushRequest& request, const ProgressSink& progress, std::stop_token stop) {
  trace::Span span("engine.push");
  auto reference = oci::Reference::parse(request.name, request.tag);
  if (reference.has_digest()) throw Error(ErrorKind::InvalidArgument, "cannot push a digest reference");
  span.set("reference", reference.familiar());
  image::Pusher::Options how{credentials_of(request.auth), {}};
  if (!request.platform.empty()) how.platform = oci::Platform::parse(request.platform);
  rooms_.pusher->push(
      reference, how, forward_to(progress),
      [&](const image::PushResult& result) {
        api::ProgressMessage out;
        out.progress_detail = api::ProgressDetail{};
        out.aux = JsonObject{{"Tag", result.tag}, {"Digest", result.digest.text()}, {"Size", result.size}};
        progress(out);
      },
      stop);
  rooms_.events->emit("image", "push", reference.familiar(), {{"name", reference.familiar_name()}});
}

Json Images::distribution(std::string_view name, const api::AuthConfig& auth, std::stop_token stop) const {
  auto reference = oci::Reference::parse(name).with_default_tag();
  registry::Client client(*rooms_.registries, reference, credentials_of(auth), std::move(stop));
  auto document = client.manifest(reference.tag_or_digest());
  oci::Descriptor descriptor;
  descriptor.media_type = oci::manifest_type(document.bytes, document.media_type);
  descriptor.digest = document.digest;
  descriptor.size = static_cast<std::int64_t>(document.bytes.size());
  JsonArray platforms;
  auto add = [&](const oci::Platform& platform) {
    JsonObject one{{"architecture", platform.architecture}, {"os", platform.os}};
    if (!platform.os_version.empty()) one["os.version"] = platform.os_version;
    if (!platform.variant.empty()) one["variant"] = platform.variant;
    platforms.push_back(std::move(one));
  };
  if (oci::media_type::is_index(descriptor.media_type)) {
    for (const auto& entry : oci::parse_index(document.bytes, document.media_type).manifests)
      if (entry.platform) add(*entry.platform);
  } else {
    oci::Manifest manifest = oci::parse_manifest(document.bytes, document.media_type);
    if (oci::media_type::is_config(manifest.config.media_type))
      add(oci::parse_image_config(client.blob(manifest.config, oci::kMaxConfig)).platform);
  }
  return JsonObject{{"Descriptor", oci::to_json(descriptor)}, {"Platforms", std::move(platforms)}};
}

std::vector<std::string> Images::registry_tags(std::string_view name, const api::AuthConfig& auth,
                                               std::stop_token stop) const {
  auto reference = oci::Reference::parse(name);
  return registry::Client(*rooms_.registries, reference, credentials_of(auth), std::move(stop)).tags();
}

JsonArray Images::registry_referrers(std::string_view name, const std::string& type, const api::AuthConfig& auth,
                                     std::stop_token stop) const {
  auto reference = oci::Reference::parse(name).with_default_tag();
  registry::Client client(*rooms_.registries, reference, credentials_of(auth), std::move(stop));
  auto subject = oci::Digest::try_parse(reference.tag_or_digest());
  if (!subject) subject = client.manifest(reference.tag_or_digest()).digest;
  JsonArray out;
  for (const oci::Descriptor& one : client.referrers(*subject, type)) out.push_back(oci::to_json(one));
  return out;
}

void Images::registry_remove(std::string_view name, const api::AuthConfig& auth, std::stop_token stop) const {
  auto reference = oci::Reference::parse(name);
  std::string what = reference.tag_or_digest();
  if (what.empty())
    throw Error(ErrorKind::InvalidArgument,
                cat("say what of ", reference.familiar(), " goes: NAME:TAG or NAME@DIGEST"));
  registry::Client(*rooms_.registries, reference, credentials_of(auth), std::move(stop), registry::Access::Delete)
      .remove_manifest(what);
}

std::vector<api::SearchResult> Images::search(const std::string& term, int limit, const api::Filters& filters,
                                              const api::AuthConfig& auth, std::stop_token stop) const {
  if (limit < 1 || limit > 100)
    throw Error(ErrorKind::InvalidArgument, cat("limit ", limit, " is outside the range of [1, 100]"));
  filters.check({"is-automated", "is-official", "stars"});
  std::int64_t stars = 0;
  for (const std::string& text : filters.get("stars")) {
    auto least = parse_int<std::int64_t>(text);
    if (!least) throw Error(ErrorKind::InvalidArgument, cat("invalid filter 'stars=[", text, "]'"));
    stars = std::max(stars, *least);
  }
  std::vector<api::SearchResult> out;
  for (auto& one : registry::search(*rooms_.registries, term, limit, credentials_of(auth), std::move(stop))) {
    bool wanted = one.stars >= stars && filters.boolean("is-official", one.official) == one.official &&
                  filters.boolean("is-automated", one.automated) == one.automated;
    if (wanted) out.push_back({one.stars, one.official, one.name, one.automated, one.description});
  }
  return out;
}

api::AuthResponse Images::login(const api::AuthConfig& auth, std::stop_token stop) {
  std::string domain = registry::domain_of_server(auth.server_address);
  api::AuthResponse out;
  out.identity_token = registry::login(*rooms_.registries, domain, credentials_of(auth), std::move(stop));
  out.status = "Login Succeeded";
  return out;
}

}  // namespace proa::engine
