#include "image/catalogue.h"

#include <algorithm>

#include "base/json_codec.h"
#include "base/text.h"

namespace proa::image {

namespace {

struct LayerRow {
  std::string digest, diff_id;
  std::uint64_t size = 0;
};
struct ImageRow {
  std::string manifest, index;
  std::vector<std::string> references, repo_digests;
  std::vector<LayerRow> layers;
  std::vector<std::string> others;
  std::int64_t last_tagged = 0;
  std::string artifact_type;
  std::uint64_t artifact_size = 0;
};

oci::Digest digest_or_empty(const std::string& text) { return text.empty() ? oci::Digest() : oci::Digest::parse(text); }

bool is_hex(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789abcdef") == text.npos; }

}  // namespace

}  // namespace proa::image

namespace proa::json {

using proa::image::ImageRow;
using proa::image::LayerRow;

template <>
struct Fields<LayerRow> {
  static constexpr auto list = std::tuple{optional("digest", &LayerRow::digest), always("diff_id", &LayerRow::diff_id),
                                          always("size", &LayerRow::size)};
};
template <>
struct Fields<ImageRow> {
  static constexpr auto list = std::tuple{optional("manifest", &ImageRow::manifest),
                                          optional("index", &ImageRow::index),
                                          always("references", &ImageRow::references),
                                          always("repo_digests", &ImageRow::repo_digests),
                                          always("layers", &ImageRow::layers),
                                          always("last_tagged", &ImageRow::last_tagged),
                                          optional("others", &ImageRow::others),
                                          optional("artifact_type", &ImageRow::artifact_type),
                                          optional("artifact_size", &ImageRow::artifact_size)};
};

}  // namespace proa::json

namespace proa::image {

Json record_to_json(const ImageRecord& record) {
  ImageRow row;
  row.manifest = record.manifest.text();
  row.index = record.index.text();
  row.references = record.references;
  row.repo_digests = record.repo_digests;
  for (const ImageLayer& layer : record.layers)
    row.layers.push_back({layer.digest.text(), layer.diff_id.text(), layer.size});
  for (const oci::Digest& other : record.others) row.others.push_back(other.text());
  row.last_tagged = record.last_tagged;
  row.artifact_type = record.artifact_type;
  if (!record.artifact_type.empty()) row.artifact_size = record.size;
  return json::encode(row);
}

ImageRecord record_from_json(const std::string& id, const Json& value, const std::string& document) {
  auto row = json::decode<ImageRow>(value, "image");
  ImageRecord record;
  record.id = oci::Digest::parse(id);
  record.manifest = digest_or_empty(row.manifest);
  record.index = digest_or_empty(row.index);
  record.references = std::move(row.references);
  record.repo_digests = std::move(row.repo_digests);
  record.artifact_type = std::move(row.artifact_type);
  record.size = row.artifact_size;
  if (record.artifact_type.empty()) record.config = oci::parse_image_config(document);
  for (const LayerRow& layer : row.layers) {
    record.layers.push_back({digest_or_empty(layer.digest), oci::Digest::parse(layer.diff_id), layer.size});
    record.diff_ids.push_back(record.layers.back().diff_id);
    record.size += layer.size;
  }
  for (const std::string& other : row.others) record.others.push_back(oci::Digest::parse(other));
  record.created = parse_rfc3339(record.config.created).value_or(kZeroTime);
  record.last_tagged = row.last_tagged;
  return record;
}

void Catalogue::put(const RecordPtr& record) {
  erase(record->id);
  by_id[record->id] = record;
  for (const std::string& name : record->references) by_name[name] = record->id;
  for (const std::string& name : record->repo_digests) by_name[name] = record->id;
}

void Catalogue::erase(const oci::Digest& id) {
  by_id.erase(id);
  std::erase_if(by_name, [&](const auto& entry) { return entry.second == id; });
}

RecordPtr Catalogue::find(std::string_view name) const {
  auto by_digest = [&](const oci::Digest& id) {
    auto found = by_id.find(id);
    return found == by_id.end() ? nullptr : found->second;
  };
  auto parsed = oci::parse_any_reference(name);
  if (const auto* digest = std::get_if<oci::Digest>(&parsed)) return by_digest(*digest);
  if (auto found = by_name.find(lookup_name(std::get<oci::Reference>(parsed))); found != by_name.end()) {
    return by_digest(found->second);
  }
  std::string_view hex = name.starts_with("sha256:") ? name.substr(7) : name;
  if (!is_hex(hex) || hex.size() > 64) return nullptr;
  std::string low = cat("sha256:", hex);
  RecordPtr only;
  for (const auto& [id, record] : by_id) {
    if (!id.text().starts_with(low)) continue;
    if (only) return nullptr;  // ambiguous
    only = record;
  }
  return only;
}

bool is_id_prefix(const oci::Digest& id, std::string_view text) {
  return id.text().starts_with(text) || id.hex().starts_with(text);
}

std::string lookup_name(const oci::Reference& reference) {
  if (reference.has_digest()) return cat(reference.familiar_name(), "@", reference.digest.text());
  return reference.with_default_tag().familiar();
}

bool is_digest_name(std::string_view familiar) { return familiar.find('@') != familiar.npos; }

std::string_view repository_of(std::string_view familiar) {
  familiar = familiar.substr(0, familiar.find('@'));
  std::size_t slash = familiar.rfind('/');
  std::size_t colon = familiar.find(':', slash == familiar.npos ? 0 : slash);
  return familiar.substr(0, colon);
}

bool add_sorted(std::vector<std::string>& names, const std::string& name) {
  auto place = std::lower_bound(names.begin(), names.end(), name);
  if (place != names.end() && *place == name) return false;
  names.insert(place, name);
  return true;
}

bool drop(std::vector<std::string>& names, std::string_view name) {
  return std::erase_if(names, [&](const std::string& one) { return one == name; }) > 0;
}

}  // namespace proa::image
