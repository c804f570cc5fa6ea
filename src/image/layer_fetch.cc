#include "image/layer_fetch.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>

#include "base/failpoint.h"
#include "base/text.h"
#include "base/trace.h"
#include "image/byte_pipe.h"
#include "image/file_source.h"
#include "os/fd.h"

namespace proa::image {

namespace {

constexpr std::size_t kUnderWay = 2 << 20;

// What the bytes say, not the machine: trying again with the same bytes is of no use.
bool is_bad_data(const Error& error) {
  return error.kind() == ErrorKind::DataLoss || error.kind() == ErrorKind::InvalidArgument;
}

std::string short_name(const oci::Digest& digest) { return std::string(digest.short_hex()); }

// The download's side of the pipeline, run on a thread of its own.
struct Download {
  registry::Client& client;
  PullProgress& progress;
  const oci::Descriptor& layer;
  store::Ingest& ingest;
  BytePipe& pipe;
  std::atomic<bool>& complete;
  const std::atomic<bool>& abandoned;  // set: nobody wants the rest
  bool gave_up = false;

  void run() {
    trace::Span span("pull.download");
    const std::string id = short_name(layer.digest);
    const auto total = static_cast<std::uint64_t>(layer.size);
    if (ingest.kept() > 0) span.set("resumed_at", static_cast<std::int64_t>(ingest.kept()));
    replay();
    std::uint64_t skip = 0;
    registry::BlobReceiver receiver{
        // From the start again: what went down the pipe already is passed over, the digest at the end judges the whole.
        .restart = [&] { skip = ingest.received(); },
        .data =
            [&](std::span<const std::byte> piece) {
              if (abandoned) {
                gave_up = true;
                throw Error(ErrorKind::Cancelled, "context canceled");
              }
              std::uint64_t known = std::min<std::uint64_t>(skip, piece.size());
              skip -= known;
              piece = piece.subspan(known);
              ingest.append(piece);
              pipe.write(piece);
              progress.count("Downloading", id, ingest.received(), total);
              FAILPOINT("pull.download.piece");
            },
    };
    if (ingest.received() < total || total == 0) client.stream_blob(layer, ingest.received(), receiver);
    span.set("bytes", static_cast<std::int64_t>(ingest.received()));
    span.end();
    progress.say("Verifying Checksum", id);
    trace::Span verify("pull.verify");
    verify.set("digest", layer.digest.text());
    ingest.verify();
    verify.end();
    progress.say("Download complete", id);
    complete = true;
    pipe.finish();
    ingest.sync();
  }

  void replay() {
    std::vector<std::byte> buffer(256 << 10);
    while (std::size_t got = ingest.replay(buffer)) pipe.write(std::span(buffer).first(got));
  }
};

// Old bytes may be what the power failed on, a mirror's anything: others get a chance of their own.
template <typename Into>
auto receive(store::Blobs& blobs, registry::Client& client, const oci::Descriptor& layer, Into into) {
  const auto size = static_cast<std::uint64_t>(layer.size);
  for (bool again = false;; again = true) {
    store::Ingest ingest = blobs.ingest(layer.digest, size);
    bool resumed = !again && ingest.kept() > 0;
    if (again) ingest.restart();
    try {
      return into(ingest);
    } catch (const Error& error) {
      if (!is_bad_data(error) || (!resumed && !client.leave_mirror())) throw;
    }
  }
}

}  // namespace

Flights::Seat::~Seat() {
  std::lock_guard guard(flights_.mutex_);
  flights_.in_flight_.erase(digest_);
  flights_.left_.notify_all();
}

std::unique_ptr<Flights::Seat> Flights::board(const oci::Digest& digest, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  left_.wait(lock, stop, [&] { return !in_flight_.contains(digest); });
  if (stop.stop_requested()) throw Error(ErrorKind::Cancelled, "context canceled");
  in_flight_.insert(digest);
  return std::make_unique<Seat>(*this, digest);
}

LayerInfo LayerFetch::run(const oci::Descriptor& layer, const oci::Digest& diff_id) {
  trace::Span span("pull.layer");
  span.set("digest", layer.digest.text());
  span.set("size", layer.size);
  const std::string id = short_name(layer.digest);
  auto seat = flights.board(layer.digest, stop);
  LayerInfo info;
  if (auto known = layers.find(diff_id)) {
    info = *known;  // from other bytes, or another pull has made it while this one waited
    if (!blobs.has(layer.digest)) fetch_blob(layer);
    progress.say("Download complete", id);
  } else if (blobs.size(layer.digest) == static_cast<std::uint64_t>(layer.size)) {
    info = from_store(layer, diff_id);
  } else {
    info = receive(blobs, client, layer, [&](store::Ingest& ingest) { return from_registry(layer, diff_id, ingest); });
  }
  progress.say("Pull complete", id);
  return info;
}

void LayerFetch::run_blob(const oci::Descriptor& blob) {
  trace::Span span("pull.blob");
  span.set("digest", blob.digest.text());
  span.set("size", blob.size);
  auto seat = flights.board(blob.digest, stop);
  if (!blobs.has(blob.digest)) fetch_blob(blob);
  progress.say("Download complete", short_name(blob.digest));
}

// The layer is unpacked but the bytes it came from are not here (an image of the same layers was loaded, or a death
// came between the two): without them the image could be neither pushed nor saved.
void LayerFetch::fetch_blob(const oci::Descriptor& layer) {
  std::atomic<bool> downloaded = false, abandoned = false;
  std::stop_callback cancelled(stop, [&] { abandoned = true; });
  receive(blobs, client, layer, [&](store::Ingest& ingest) {
    BytePipe pipe(kUnderWay);
    pipe.close_reader();
    Download{client, progress, layer, ingest, pipe, downloaded, abandoned}.run();
    ingest.commit();
  });
}

LayerInfo LayerFetch::from_store(const oci::Descriptor& layer, const oci::Digest& diff_id) {
  trace::Span span("pull.unpack");
  span.set("from", "store");
  const std::string id = short_name(layer.digest);
  progress.say("Download complete", id);
  FileSource file(blobs.open(layer.digest));
  auto extracted = [&](std::uint64_t done) {
    progress.count("Extracting", id, done, static_cast<std::uint64_t>(layer.size));
  };
  try {
    return layers.apply(file, diff_id, extracted, stop);
  } catch (const Error& error) {
    if (is_bad_data(error)) blobs.remove(layer.digest);
    throw;
  }
}

LayerInfo LayerFetch::from_registry(const oci::Descriptor& layer, const oci::Digest& diff_id, store::Ingest& ingest) {
  const std::string id = short_name(layer.digest);
  const auto total = static_cast<std::uint64_t>(layer.size);
  BytePipe pipe(kUnderWay);
  std::atomic<bool> downloaded = false, abandoned = false;
  Download download{client, progress, layer, ingest, pipe, downloaded, abandoned};
  std::exception_ptr download_failure, unpack_failure;
  trace::Recorder* recorder = trace::current();
  int parent = trace::current_parent();
  std::thread downloader([&] {
    std::optional<trace::Scope> scope;
    if (recorder) scope.emplace(*recorder, parent);
    try {
      download.run();
    } catch (...) {
      download_failure = std::current_exception();
      pipe.fail(download_failure);
    }
  });
  std::optional<LayerInfo> info;
  try {
    trace::Span span("pull.unpack");
    info = layers.apply(
        pipe, diff_id,
        [&](std::uint64_t done) {
          if (downloaded) progress.count("Extracting", id, done, total);
        },
        stop);
    span.set("bytes", static_cast<std::int64_t>(info->size));
  } catch (...) {
    unpack_failure = std::current_exception();
    abandoned = !is_bad_data(to_error(unpack_failure));
  }
  // The download goes on to its end where the layer was there already, for the blob is wanted, and where the bytes made
  // no sense, for their digest tells who is to blame.
  pipe.close_reader();
  downloader.join();
  if (download_failure && !download.gave_up) std::rethrow_exception(download_failure);
  if (unpack_failure) {
    Error error = to_error(unpack_failure);
    if (error.kind() == ErrorKind::Cancelled) throw error;
    if (is_bad_data(error)) ingest.drop();
    throw Error(error.kind(), cat("failed to register layer: ", error.message()), error.errno_code());
  }
  ingest.commit();
  return *info;
}

}  // namespace proa::image
