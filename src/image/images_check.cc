// What the catalogue says there is, compared with what is in the store.
#include <map>
#include <set>

#include "archive/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "base/trace.h"
#include "image/file_source.h"
#include "image/images.h"
#include "image/images_state.h"

namespace proa::image {
namespace {

using Users = std::map<oci::Digest, std::vector<std::string>>;  // of a blob or layer: names of images

std::string shown_name(const ImageRecord& record) {
  if (!record.references.empty()) return record.references[0];
  return record.repo_digests.empty() ? record.id.text() : record.repo_digests[0];
}

struct Needs {
  Users blobs, layers;
};

Needs needs_of(const std::vector<RecordPtr>& records) {
  Needs out;
  for (const auto& record : records) {
    auto name = shown_name(*record);
    for (const auto& digest : blobs_of(*record)) out.blobs[digest].push_back(name);
    for (const auto& layer : record->layers) out.layers[layer.diff_id].push_back(name);
  }
  return out;
}

// nullopt: it has gone meanwhile.
std::optional<oci::Digest> digest_of_file(const store::Blobs& blobs, const oci::Digest& digest, std::uint64_t& bytes) {
  try {
    FileSource file(blobs.open(digest));
    archive::Sha256 hash;
    std::vector<std::byte> piece(1 << 20);
    while (std::size_t got = file.read(piece)) {
      hash.update(std::span(piece).first(got));
      bytes += got;
    }
    return oci::Digest::from_hex(hash.hex());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::NotFound) return std::nullopt;
    throw;
  }
}

// From a blob that is whole.
bool unpack_again(Images::State& state, const std::vector<RecordPtr>& records, const oci::Digest& diff_id,
                  const std::set<oci::Digest>& whole) {
  for (const auto& record : records) {
    for (const auto& layer : record->layers) {
      if (layer.diff_id != diff_id || !whole.contains(layer.digest)) continue;
      try {
        FileSource blob(state.blobs.open(layer.digest));
        state.layers.remove(diff_id);  // what is left of it
        state.layers.apply(blob, diff_id);
        return true;
      } catch (const Error& error) {
        log::warn("a layer could not be unpacked again", {{"layer", diff_id.text()}, {"error", error.message()}});
      }
    }
  }
  return false;
}

}  // namespace

CheckReport Images::check(Repair repair) {
  trace::Span span("image.check");
  CheckReport report;
  auto records = state_->all();
  auto needs = needs_of(records);
  report.images = records.size();
  std::set<oci::Digest> owned = state_->held(), whole;
  if (state_->in_use) {
    for (const auto& diff_id : state_->in_use()) owned.insert(diff_id);
  }
  bool mend = repair == Repair::Yes, unowned = false;
  auto add = [&](Finding finding) { report.findings.push_back(std::move(finding)); };
  auto users = [](const Users& of, const oci::Digest& digest) {
    auto found = of.find(digest);
    return found == of.end() ? std::vector<std::string>() : found->second;
  };

  for (const auto& digest : state_->blobs.list()) {
    ++report.blobs;
    auto actual = digest_of_file(state_->blobs, digest, report.blob_bytes);
    if (!actual) continue;
    if (*actual == digest) {
      whole.insert(digest);
    } else {
      // What is damaged is better missing: it is not pushed or saved then, and a pull of the image brings it.
      if (mend) state_->blobs.remove(digest);
      add({Finding::Kind::Damaged, cat("blob ", digest.text()), users(needs.blobs, digest), mend});
      continue;
    }
    if (needs.blobs.contains(digest) || owned.contains(digest)) continue;
    add({Finding::Kind::Unowned, cat("blob ", digest.text()), {}, mend});
    unowned = true;
  }
  for (const auto& [digest, names] : needs.blobs) {
    if (!state_->blobs.has(digest) && state_->find(names[0])) {
      add({Finding::Kind::Missing, cat("blob ", digest.text()), names, false});
    }
  }
  for (const auto& layer : state_->layers.list()) {
    ++report.layers;
    if (needs.layers.contains(layer.diff_id) || owned.contains(layer.diff_id)) continue;
    add({Finding::Kind::Unowned, cat("layer ", layer.diff_id.text()), {}, mend});
    unowned = true;
  }
  for (const auto& [diff_id, names] : needs.layers) {
    LayerState found = state_->layers.check(diff_id);
    if (found == LayerState::Whole) continue;
    bool mended = mend && unpack_again(*state_, records, diff_id, whole);
    auto kind = found == LayerState::Missing ? Finding::Kind::Missing : Finding::Kind::Damaged;
    add({kind, cat("layer ", diff_id.text()), names, mended});
  }
  for (const auto& digest : state_->blobs.ingests()) {
    if (owned.contains(digest)) continue;
    add({Finding::Kind::Unowned, cat("partial download ", digest.text()), {}, mend});
    unowned = true;
  }
  if (mend && unowned) collect();
  return report;
}

}  // namespace proa::image
