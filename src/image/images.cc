#include "image/images.h"

#include <algorithm>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "image/contents.h"
#include "image/file_source.h"
#include "image/images_state.h"

namespace proa::image {

bool Images::is_whole(const ImageRecord& image) const {
  auto there = [&](const oci::Digest& digest) { return digest.empty() || state_->blobs.has(digest); };
  return there(image.id) && there(image.manifest) && there(image.index) &&
         std::all_of(image.layers.begin(), image.layers.end(),
                     [&](const ImageLayer& layer) { return there(layer.digest) && state_->layers.has(layer.diff_id); });
}

RecordPtr Images::State::get(std::string_view name) const {
  if (RecordPtr record = find(name)) return record;
  auto parsed = oci::parse_any_reference(name);
  std::string shown = std::holds_alternative<oci::Digest>(parsed)
                          ? std::get<oci::Digest>(parsed).text()
                          : std::get<oci::Reference>(parsed).with_default_tag().familiar();
  throw Error(ErrorKind::NotFound, cat("No such image: ", shown));
}

void Images::State::commit(const std::vector<Change>& changes, const std::string& lease) {
  database.transaction(
      [&] {
        for (const Change& change : changes) {
          if (change.record) {
            database.put(kImagesTable, change.id.text(), record_to_json(*change.record));
          } else {
            database.erase(kImagesTable, change.id.text());
          }
        }
        if (!lease.empty()) leases.release(lease);
      },
      store::Durability::Full);
  FAILPOINT("images.after_commit");
  std::lock_guard guard(reading);
  // Names that moved are taken from their old owner before the new one gets them.
  for (const Change& change : changes) catalogue.erase(change.id);
  for (const Change& change : changes) {
    if (change.record) catalogue.put(change.record);
  }
}

// A layer that is gone. Throws where there is nothing to make it of; what fails today may work tomorrow.
void Images::State::unpack_again(const ImageLayer& layer) {
  if (!blobs.has(layer.digest)) throw Error(ErrorKind::DataLoss, cat("layer ", layer.diff_id.text(), " is gone"));
  log::warn("a layer is gone and is unpacked again", {{"layer", layer.diff_id.text()}});
  try {
    FileSource blob(blobs.open(layer.digest));
    layers.apply(blob, layer.diff_id);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::DataLoss || error.kind() == ErrorKind::InvalidArgument) throw;
    log::error("it could not be unpacked", {{"layer", layer.diff_id.text()}, {"error", error.message()}});
  }
}

void Images::State::load() {
  std::vector<std::string> broken;
  for (const auto& [id, row] : database.list(kImagesTable)) {
    try {
      auto record =
          std::make_shared<ImageRecord>(record_from_json(id, row, blobs.read(oci::Digest::parse(id), oci::kMaxConfig)));
      for (const ImageLayer& layer : record->layers) {
        if (!layers.has(layer.diff_id)) unpack_again(layer);
      }
      catalogue.put(record);
    } catch (const Error& error) {
      log::error("an image is incomplete and was dropped; pull it again", {{"image", id}, {"reason", error.message()}});
      broken.push_back(id);
    }
  }
  if (broken.empty()) return;
  database.transaction([&] {
    for (const std::string& id : broken) database.erase(kImagesTable, id);
  });
}

// The image as that manifest has it.
ImageRecord Images::State::unpack_manifest(const ImageRecord& image, const oci::Digest& manifest,
                                           const std::stop_token& stop) {
  for (const ImageLayer& layer : image_of(blobs, layers, image, manifest).layers) {
    if (layers.has(layer.diff_id)) continue;
    FileSource blob(blobs.open(layer.digest));
    layers.apply(blob, layer.diff_id, {}, stop);
  }
  return image_of(blobs, layers, image, manifest);  // with the sizes that are known now
}

ImageRecord Images::unpack_for(const ImageRecord& image, const oci::Platform& platform, std::stop_token stop) {
  ImageRecord wanted = image_for(state_->blobs, state_->layers, image, platform);
  return wanted.manifest == image.manifest ? image : state_->unpack_manifest(image, wanted.manifest, stop);
}

Images::Images(store::Database& database, store::Blobs& blobs, Layers& layers)
    : state_(std::make_unique<State>(database, blobs, layers)) {
  state_->load();
  state_->leases.drop_lapsed();
}

Images::~Images() = default;

std::optional<ImageRecord> Images::find(std::string_view name, const std::optional<oci::Platform>& platform) const {
  RecordPtr record = state_->find(name);
  if (!record || (platform && !platform->empty() && oci::preference(*platform, record->config.platform) < 0))
    return std::nullopt;
  return *record;
}

ImageRecord Images::get(std::string_view name) const { return *state_->get(name); }

std::vector<ImageRecord> Images::list() const {
  std::vector<ImageRecord> out;
  for (const RecordPtr& record : state_->all()) out.push_back(*record);
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.created > b.created; });
  return out;
}

std::size_t Images::count() const {
  std::lock_guard guard(state_->reading);
  return state_->catalogue.by_id.size();
}

namespace {

// `record` with one name more; the image that had the name without it.
std::vector<Images::State::Change> move_name(const Catalogue& catalogue, std::shared_ptr<ImageRecord> record,
                                             const std::string& name) {
  std::vector<Images::State::Change> changes;
  auto owner = catalogue.by_name.find(name);
  if (owner != catalogue.by_name.end() && owner->second != record->id) {
    auto previous = std::make_shared<ImageRecord>(*catalogue.by_id.at(owner->second));
    drop(previous->references, name);
    drop(previous->repo_digests, name);
    changes.push_back({previous->id, previous});
  }
  add_sorted(is_digest_name(name) ? record->repo_digests : record->references, name);
  return changes;
}

// What came with the index that the image was a part of stays, where the very same comes again alone.
void keep_belongings(ImageRecord& record, const ImageRecord& known) {
  if (record.manifest != known.manifest || (!record.index.empty() && record.index != known.index)) return;
  record.index = known.index;
  std::set<oci::Digest> others(record.others.begin(), record.others.end());
  others.insert(known.others.begin(), known.others.end());
  record.others.assign(others.begin(), others.end());
}

}  // namespace

void Images::tag(std::string_view source, const oci::Reference& target) {
  if (target.has_digest()) throw Error(ErrorKind::InvalidArgument, "refusing to create a tag with a digest reference");
  if (target.familiar_name() == "sha256") {
    throw Error(ErrorKind::InvalidArgument, "refusing to create an ambiguous tag using digest algorithm as name");
  }
  std::lock_guard guard(state_->changing);
  auto record = std::make_shared<ImageRecord>(*state_->get(source));
  std::string name = lookup_name(target);
  if (std::binary_search(record->references.begin(), record->references.end(), name)) return;
  auto changes = move_name(state_->catalogue, record, name);
  record->last_tagged = now();
  changes.push_back({record->id, record});
  state_->commit(changes, "");
}

bool Images::record(ImageRecord image, const std::optional<oci::Reference>& reference, const oci::Digest& repo_digest,
                    const std::string& lease) {
  std::unique_lock guard(state_->changing);
  auto record = std::make_shared<ImageRecord>(std::move(image));
  const Catalogue& catalogue = state_->catalogue;  // only changed by holders of `changing`
  bool changed = true, replaced = false;
  if (auto known = catalogue.by_id.find(record->id); known != catalogue.by_id.end()) {
    record->references = known->second->references;
    record->repo_digests = known->second->repo_digests;
    record->last_tagged = known->second->last_tagged;
    keep_belongings(*record, *known->second);
    changed = false;
    replaced = blobs_of(*record) != blobs_of(*known->second);
  }
  std::map<oci::Digest, Images::State::Change> changes;
  auto give = [&](const std::string& name) {
    auto owner = catalogue.by_name.find(name);
    if (owner != catalogue.by_name.end() && owner->second == record->id) return false;
    for (auto& change : move_name(catalogue, record, name)) {
      auto [place, first] = changes.emplace(change.id, change);
      if (first) continue;
      auto both = std::make_shared<ImageRecord>(*place->second.record);
      drop(both->references, name);
      drop(both->repo_digests, name);
      place->second.record = both;
    }
    return true;
  };
  if (reference) {
    std::string repository = reference->familiar_name();
    bool named = !repo_digest.empty() && give(cat(repository, "@", repo_digest.text()));
    if (reference->has_digest()) changed = changed || named;
    if (!reference->has_digest() && give(lookup_name(*reference))) {
      record->last_tagged = now();
      changed = true;
    }
  }
  std::vector<State::Change> all;
  for (auto& [id, change] : changes) all.push_back(change);
  all.push_back({record->id, record});
  state_->commit(all, lease);
  guard.unlock();
  if (replaced) collect();
  return changed;
}

void Images::add_repo_digest(const oci::Digest& id, const oci::Reference& reference, const oci::Digest& digest) {
  std::lock_guard guard(state_->changing);
  auto known = state_->catalogue.by_id.find(id);
  if (known == state_->catalogue.by_id.end()) return;  // removed meanwhile
  std::string name = cat(reference.familiar_name(), "@", digest.text());
  auto record = std::make_shared<ImageRecord>(*known->second);
  if (std::binary_search(record->repo_digests.begin(), record->repo_digests.end(), name)) return;
  auto changes = move_name(state_->catalogue, record, name);
  changes.push_back({id, record});
  state_->commit(changes, "");
}

std::vector<std::string> Images::tags_of(std::string_view repository) const {
  std::lock_guard guard(state_->reading);
  std::vector<std::string> out;
  for (const auto& [name, id] : state_->catalogue.by_name) {
    if (!is_digest_name(name) && repository_of(name) == repository) out.push_back(name);
  }
  return out;
}

}  // namespace proa::image
