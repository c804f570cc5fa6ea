#include "registry_server/repositories.h"

#include <ctime>

#include "archive/hash.h"
#include "base/text.h"
#include "oci/reference.h"
#include "registry_server/refusal.h"
#include "registry_server/tables.h"

namespace proa::registry_server {

namespace {

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_component(std::string_view text) {
  if (text.empty() || !is_word(text.front()) || !is_word(text.back())) return false;
  for (std::size_t i = 0; i < text.size();) {
    if (is_word(text[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && !is_word(text[end])) ++end;
    std::string_view between = text.substr(i, end - i);
    bool dashes = between.find_first_not_of('-') == between.npos;
    if (between != "." && between != "_" && between != "__" && !dashes) return false;
    i = end;
  }
  return true;
}

oci::Digest digest_of(std::string_view bytes) {
  archive::Sha256 hash;
  hash.update(std::as_bytes(std::span(bytes.data(), bytes.size())));
  return oci::Digest::from_hex(hash.hex());
}

oci::Digest subject_of(const Json& document) {
  const Json* subject = json::find(document, "subject");
  return subject ? oci::Digest::try_parse(json::string_at(*subject, "digest")).value_or(oci::Digest()) : oci::Digest();
}

// The entry that a manifest with a subject gets among its subject's referrers.
Json referrer_of(const Json& document, const std::string& type, const oci::Digest& digest, std::size_t size) {
  std::string artifact = json::string_at(document, "artifactType");
  if (const Json* config = json::find(document, "config"); artifact.empty() && config)
    artifact = json::string_at(*config, "mediaType");
  JsonObject out{{"mediaType", type}, {"digest", digest.text()}, {"size", size}};
  if (!artifact.empty()) out["artifactType"] = artifact;
  if (const Json* annotations = json::find(document, "annotations"); annotations && annotations->is_object())
    out["annotations"] = *annotations;
  return out;
}

[[noreturn]] void unknown_blob(const oci::Digest& digest) {
  throw Refusal{400, "MANIFEST_BLOB_UNKNOWN", cat("blob unknown to registry: ", digest.text()), Json(digest.text())};
}

}  // namespace

std::vector<oci::Digest> references_of(const std::string& type, const std::string& bytes) {
  std::vector<oci::Digest> out;
  if (oci::media_type::is_index(type)) {
    for (const oci::Descriptor& entry : oci::parse_index(bytes, type).manifests) out.push_back(entry.digest);
    return out;
  }
  oci::Manifest manifest = oci::parse_manifest(bytes, type);
  out.push_back(manifest.config.digest);
  for (const oci::Descriptor& layer : manifest.layers) out.push_back(layer.digest);
  return out;
}

bool is_repository_name(std::string_view name) {
  if (name.size() > 255) return false;
  for (const std::string& part : split(name, '/'))
    if (!is_component(part)) return false;
  return true;
}

bool Repositories::has_blob(const std::string& repository, const oci::Digest& digest) const {
  return blobs_.has(digest) && database_.get(kLinks, at_digest(repository, digest));
}

bool Repositories::promise_blob(const std::string& repository, const oci::Digest& digest) {
  auto link = database_.get(kLinks, at_digest(repository, digest));
  if (!link || !blobs_.has(digest)) return false;
  if (::time(nullptr) - json::int_at(*link, "since") < renewed_after_) return true;
  link_blob(repository, digest);
  return blobs_.has(digest);
}

void Repositories::link_blob(const std::string& repository, const oci::Digest& digest) {
  std::lock_guard guard(changing_);
  arrived(digest);
  database_.put(kLinks, at_digest(repository, digest),
                JsonObject{{"since", static_cast<std::int64_t>(::time(nullptr))}});
}

void Repositories::arrived(const oci::Digest& digest) {
  if (arrived_) arrived_->insert(digest);
}

void Repositories::touch(const std::string& repository, const oci::Digest& digest) {
  std::lock_guard guard(changing_);
  auto row = database_.get(kManifests, at_digest(repository, digest));
  if (!row || ::time(nullptr) - json::int_at(*row, "since") < kRenewSeconds) return;
  row->get_object()["since"] = static_cast<std::int64_t>(::time(nullptr));
  database_.put(kManifests, at_digest(repository, digest), *row);
}

bool Repositories::unlink_blob(const std::string& repository, const oci::Digest& digest) {
  return database_.erase(kLinks, at_digest(repository, digest));
}

std::optional<StoredManifest> Repositories::find(const std::string& repository, const std::string& reference) const {
  auto digest = oci::Digest::try_parse(reference);
  if (!digest) {
    auto row = database_.get(kTags, cat(repository, ":", reference));
    if (!row) return std::nullopt;
    digest = oci::Digest::parse(json::string_at(*row, "digest"));
  }
  auto row = database_.get(kManifests, at_digest(repository, *digest));
  if (!row) return std::nullopt;
  return StoredManifest{*digest, json::string_at(*row, "type")};
}

void Repositories::check_references(const std::string& repository, const std::string& type,
                                    const std::string& bytes) const {
  if (oci::media_type::is_index(type)) {
    for (const oci::Descriptor& entry : oci::parse_index(bytes, type).manifests) {
      if (!database_.get(kManifests, at_digest(repository, entry.digest)))
        throw Refusal{404, "MANIFEST_UNKNOWN", cat("manifest unknown: ", entry.digest.text()),
                      Json(entry.digest.text())};
    }
    return;
  }
  oci::Manifest manifest = oci::parse_manifest(bytes, type);
  if (!has_blob(repository, manifest.config.digest)) unknown_blob(manifest.config.digest);
  for (const oci::Descriptor& layer : manifest.layers) {
    if (!oci::media_type::is_foreign(layer.media_type) && !has_blob(repository, layer.digest))
      unknown_blob(layer.digest);
  }
}

Repositories::Put Repositories::put(const std::string& repository, const std::string& reference,
                                    const std::string& claimed, const std::string& bytes, References references) {
  Put out{digest_of(bytes), {}};
  auto asked = oci::Digest::try_parse(reference);
  if (asked && *asked != out.digest)
    throw Refusal{400, "DIGEST_INVALID", "provided digest did not match uploaded content", Json(reference)};
  std::lock_guard guard(changing_);
  Json document;
  std::string type;
  try {
    if (!asked) oci::check_tag(reference);
    type = oci::manifest_type(bytes, claimed);
    document = json::parse(bytes);
    if (references == References::Here) check_references(repository, type, bytes);
    for (const oci::Digest& digest : references_of(type, bytes)) arrived(digest);
  } catch (const Error& error) {
    throw Refusal{400, "MANIFEST_INVALID", error.message()};
  }
  out.subject = subject_of(document);
  arrived(out.digest);
  blobs_.put(out.digest, bytes);
  database_.transaction(
      [&] {
        database_.put(kManifests, at_digest(repository, out.digest),
                      JsonObject{{"type", type}, {"since", static_cast<std::int64_t>(::time(nullptr))}});
        if (!asked) {
          database_.put(kTags, cat(repository, ":", reference), JsonObject{{"digest", out.digest.text()}});
        }
        if (!out.subject.empty()) {
          database_.put(kReferrers, cat(at_digest(repository, out.subject), "@", out.digest.text()),
                        referrer_of(document, type, out.digest, bytes.size()));
        }
      },
      store::Durability::Full);
  return out;
}

bool Repositories::remove(const std::string& repository, const std::string& reference) {
  std::lock_guard guard(changing_);
  auto digest = oci::Digest::try_parse(reference);
  if (!digest) return database_.erase(kTags, cat(repository, ":", reference));
  bool there = false;
  database_.transaction(
      [&] {
        there = database_.erase(kManifests, at_digest(repository, *digest));
        for (const auto& [key, row] : database_.list(kTags, cat(repository, ":")))
          if (json::string_at(row, "digest") == digest->text()) database_.erase(kTags, key);
        for (const auto& [key, row] : database_.list(kReferrers, cat(repository, "@")))
          if (json::string_at(row, "digest") == digest->text()) database_.erase(kReferrers, key);
      },
      store::Durability::Full);
  return there;
}

std::vector<std::string> Repositories::tags(const std::string& repository, const std::string& last) const {
  std::vector<std::string> out;
  std::string prefix = cat(repository, ":");
  for (const auto& [key, row] : database_.list(kTags, prefix))
    if (std::string tag = key.substr(prefix.size()); tag > last) out.push_back(std::move(tag));
  return out;
}

std::vector<std::string> Repositories::catalogue(const std::string& last) const {
  std::set<std::string> names;
  for (const auto& [key, row] : database_.list(kManifests)) names.insert(key.substr(0, key.find('@')));
  return {names.upper_bound(last), names.end()};
}

bool Repositories::exists(const std::string& repository) const {
  bool any = false;
  auto found = [&](const std::string&, Json&&) { return !(any = true); };
  for (std::string_view table : {kManifests, kLinks}) database_.each(table, cat(repository, "@"), "", found);
  return any;
}

void Repositories::referrers(const std::string& repository, const oci::Digest& subject, const std::string& last,
                             const VisitReferrer& visit) const {
  std::string prefix = cat(at_digest(repository, subject), "@");
  database_.each(kReferrers, prefix, cat(prefix, last),
                 [&](const std::string& key, Json&& row) { return visit(key.substr(prefix.size()), std::move(row)); });
}

std::string Repositories::holder_of(const oci::Digest& digest,
                                    const std::function<bool(const std::string& repository)>& may) const {
  std::string found;
  if (!blobs_.has(digest)) return found;
  std::string end = cat("@", digest.text());
  database_.each(kLinks, "", "", [&](const std::string& key, Json&&) {
    std::string repository = key.ends_with(end) ? repository_of(key) : "";
    if (!repository.empty() && may(repository)) found = repository;
    return found.empty();
  });
  return found;
}

}  // namespace proa::registry_server
