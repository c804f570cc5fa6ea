// What Images keeps, for its two source files.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "image/catalogue.h"

namespace proa::image {

struct Images::State {
  State(store::Database& d, store::Blobs& b, Layers& l) : database(d), blobs(b), layers(l), leases(d) {}

  store::Database& database;
  store::Blobs& blobs;
  Layers& layers;
  store::Leases leases;

  std::mutex changing;         // one change of the catalogue at a time; taken before `reading`
  mutable std::mutex reading;  // guards `catalogue`; held for moments only
  Catalogue catalogue;
  std::mutex collecting;  // between what is held and what is deleted
  int growing = 0;        // with `collecting` held
  bool collect_later = false;
  std::function<std::vector<oci::Digest>()> in_use;
  std::map<const Hold*, std::set<oci::Digest>> being_read;  // with `collecting` held

  // With `collecting` held: by those who write and those who read.
  std::set<oci::Digest> held() const {
    std::set<oci::Digest> out = leases.held();
    for (const auto& [reader, digests] : being_read) out.insert(digests.begin(), digests.end());
    return out;
  }

  RecordPtr find(std::string_view name) const {
    std::lock_guard guard(reading);
    return catalogue.find(name);
  }
  std::vector<RecordPtr> all() const {
    std::lock_guard guard(reading);
    std::vector<RecordPtr> out;
    for (const auto& [id, record] : catalogue.by_id) out.push_back(record);
    return out;
  }
  // Throws NotFound as docker words it.
  RecordPtr get(std::string_view name) const;
  // With `changing` held: writes the rows in one transaction (an empty pointer's ID is erased), then the index.
  struct Change {
    oci::Digest id;
    RecordPtr record;
  };
  void commit(const std::vector<Change>& changes, const std::string& lease);
  void load();
  void unpack_again(const ImageLayer& layer);
  ImageRecord unpack_manifest(const ImageRecord& image, const oci::Digest& manifest, const std::stop_token& stop);
};

}  // namespace proa::image
