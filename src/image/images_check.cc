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
#include "os/file.h"

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

// A whole blob of each layer that has one.
std::map<oci::Digest, oci::Digest> blobs_of_layers(const std::vector<RecordPtr>& records,
                                                   const std::set<oci::Digest>& whole) {
  std::map<oci::Digest, oci::Digest> out;
  for (const auto& record : records) {
    for (const auto& layer : record->layers) {
      if (whole.contains(layer.digest)) out.emplace(layer.diff_id, layer.digest);
    }
  }
  return out;
}

bool unpack_again(Images::State& state, const oci::Digest& diff_id, const oci::Digest& from) {
  try {
    FileSource blob(state.blobs.open(from));
    state.layers.remove(diff_id);  // what is left of it
    state.layers.apply(blob, diff_id);
    return true;
  } catch (const Error& error) {
    log::warn("a layer could not be unpacked again", {{"layer", diff_id.text()}, {"error", error.message()}});
    return false;
  }
}

class Check {
 public:
  Check(Images::State& state, Repair repair)
      : state_(state), mend_(repair == Repair::Yes), records_(state.all()), needs_(needs_of(records_)) {
    owned_ = state_.held();
    if (!state_.in_use) return;
    for (const auto& diff_id : state_.in_use()) needs_.layers.try_emplace(diff_id);
  }

  // What is to be collected for the repair remains to the caller.
  CheckReport run() {
    report_.images = records_.size();
    look_at_blobs();
    look_at_layers();
    for (const auto& digest : state_.blobs.ingests()) {
      if (!owned_.contains(digest)) add_unowned(cat("partial download ", digest.text()));
    }
    look_for_strays();
    return std::move(report_);
  }
  bool unowned() const { return unowned_; }

 private:
  void add(Finding::Kind kind, std::string object, const std::vector<std::string>& needed_by, bool mended) {
    report_.findings.push_back({kind, std::move(object), needed_by, mended});
  }
  void add_unowned(std::string object) {
    add(Finding::Kind::Unowned, std::move(object), {}, mend_);
    unowned_ = true;
  }

  void look_at_blobs() {
    for (const auto& digest : state_.blobs.list()) {
      ++report_.blobs;
      auto actual = digest_of_file(state_.blobs, digest, report_.blob_bytes);
      auto users = needs_.blobs.find(digest);
      bool needed = users != needs_.blobs.end();
      if (!actual) continue;
      if (!needed && !owned_.contains(digest)) {
        add_unowned(cat("blob ", digest.text()));
        continue;
      }
      if (*actual != digest) {
        // What is damaged is better missing: it is not pushed or saved then, and a pull of the image brings it.
        if (mend_) {
          state_.blobs.remove(digest);
          removed_.insert(digest);
        }
        add(Finding::Kind::Damaged, cat("blob ", digest.text()), needed ? users->second : Names(), mend_);
        continue;
      }
      whole_.insert(digest);
    }
    for (const auto& [digest, names] : needs_.blobs) {
      if (!state_.blobs.has(digest) && !removed_.contains(digest) && state_.find(names[0]))
        add(Finding::Kind::Missing, cat("blob ", digest.text()), names, false);
    }
  }

  void look_at_layers() {
    for (const auto& layer : state_.layers.list()) {
      ++report_.layers;
      if (!needs_.layers.contains(layer.diff_id) && !owned_.contains(layer.diff_id))
        add_unowned(cat("layer ", layer.diff_id.text()));
    }
    auto sources = blobs_of_layers(records_, whole_);
    for (const auto& [diff_id, names] : needs_.layers) {
      auto source = sources.find(diff_id);
      std::optional<FileSource> blob;
      if (source != sources.end()) blob.emplace(state_.blobs.open(source->second));
      LayerState found = state_.layers.check(diff_id, blob ? &*blob : nullptr);
      if (found == LayerState::Whole) continue;
      bool mended = mend_ && blob && unpack_again(state_, diff_id, source->second);
      auto kind = found == LayerState::Missing ? Finding::Kind::Missing : Finding::Kind::Damaged;
      add(kind, cat("layer ", diff_id.text()), names, mended);
    }
  }

  void look_for_strays() {
    for (const auto& name : state_.layers.strays()) {
      add(Finding::Kind::Unowned, cat("file layers/", name), {}, mend_);
      if (mend_) state_.layers.remove_stray(name);
    }
    for (const auto& path : state_.blobs.strays()) {
      add(Finding::Kind::Unowned, cat("file ", path), {}, mend_);
      if (mend_) os::remove_tree(path);
    }
  }

  using Names = std::vector<std::string>;
  Images::State& state_;
  bool mend_, unowned_ = false;
  std::vector<RecordPtr> records_;
  Needs needs_;
  std::set<oci::Digest> owned_, whole_, removed_;
  CheckReport report_;
};

}  // namespace

CheckReport Images::check(Repair repair) {
  trace::Span span("image.check");
  Check check(*state_, repair);
  CheckReport report = check.run();
  if (repair == Repair::Yes && check.unowned()) collect();
  return report;
}

}  // namespace proa::image
