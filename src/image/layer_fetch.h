// One layer of a pull: download, hash, tee into the blob store, inflate, hash, unpack; all at once, nothing read twice.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <stop_token>

#include "image/images.h"
#include "image/layers.h"
#include "image/pull_progress.h"
#include "oci/image_spec.h"
#include "registry/client.h"
#include "store/blobs.h"

namespace proa::image {

// Who is fetching what, so that nothing is fetched twice at a time. If the one who fetches gives up, the next takes
// over (and goes on with the bytes that came).
class Flights {
 public:
  class Seat {
   public:
    Seat(Flights& flights, oci::Digest digest) : flights_(flights), digest_(std::move(digest)) {}
    ~Seat();
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;

   private:
    Flights& flights_;
    oci::Digest digest_;
  };
  // Waits until nobody else fetches this. Throws Cancelled.
  std::unique_ptr<Seat> board(const oci::Digest& digest, const std::stop_token& stop);

 private:
  std::mutex mutex_;
  std::condition_variable_any left_;
  std::set<oci::Digest> in_flight_;
};

struct LayerFetch {
  Layers& layers;
  store::Blobs& blobs;
  Flights& flights;
  registry::Client& client;
  PullProgress& progress;
  std::stop_token stop;

  // Throws DataLoss, InvalidArgument (nothing of it is kept then), Unavailable, Cancelled (what came is kept).
  LayerInfo run(const oci::Descriptor& layer, const oci::Digest& diff_id);
  // Anything else: into the store as it is, whatever is in it. The same errors.
  void run_blob(const oci::Descriptor& blob);

 private:
  void fetch_blob(const oci::Descriptor& layer);
  LayerInfo from_store(const oci::Descriptor& layer, const oci::Digest& diff_id);
  LayerInfo from_registry(const oci::Descriptor& layer, const oci::Digest& diff_id, store::Ingest& ingest);
};

}  // namespace proa::image
