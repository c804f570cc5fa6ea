#include "image/layers.h"

#include <fcntl.h>
#include <unistd.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "archive/chunk_pipe.h"
#include "archive/compress.h"
#include "archive/hash.h"
#include "archive/layer_entries.h"
#include "base/failpoint.h"
#include "base/id.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/text.h"
#include "base/time.h"
#include "base/trace.h"
#include "os/file.h"
#include "os/rooted_dir.h"

namespace proa::image {
namespace {

constexpr std::string_view kStaging = ".staging-";
constexpr std::size_t kChunks = 8, kChunkSize = 256 << 10;

Json to_json(const LayerInfo& info) {
  return JsonObject{{"diff_id", info.diff_id.text()}, {"size", info.size}, {"disk", info.disk}};
}

LayerInfo info_from_json(const Json& value) {
  return {oci::Digest::parse(json::string_at(value, "diff_id")),
          static_cast<std::uint64_t>(json::int_at(value, "size")),
          static_cast<std::uint64_t>(json::int_at(value, "disk"))};
}

std::int64_t megabytes_per_second(std::uint64_t bytes, std::int64_t nanos) {
  return nanos > 0 ? static_cast<std::int64_t>(static_cast<double>(bytes) * 1000.0 / static_cast<double>(nanos)) : 0;
}

// Counts what is read and says so.
class CountingSource : public ByteSource {
 public:
  CountingSource(ByteSource& from, const std::function<void(std::uint64_t)>& progress)
      : from_(from), progress_(progress) {}
  std::size_t read(std::span<std::byte> buffer) override {
    std::size_t got = from_.read(buffer);
    size_ += got;
    if (got > 0 && progress_) progress_(size_);
    return got;
  }
  std::uint64_t size() const { return size_; }

 private:
  ByteSource& from_;
  const std::function<void(std::uint64_t)>& progress_;
  std::uint64_t size_ = 0;
};

// Inflates and hashes in a thread of its own; the tar is read from pipe().
class Inflater {
 public:
  Inflater(ByteSource& compressed, const std::function<void(std::uint64_t)>& progress, std::stop_token stop)
      : counted_(compressed, progress),
        plain_(counted_),
        pipe_(kChunks, kChunkSize),
        stop_(std::move(stop)),
        recorder_(trace::current()),
        parent_(trace::current_parent()),
        thread_([this] { run(); }) {}
  ~Inflater() {
    pipe_.abandon();
    if (thread_.joinable()) thread_.join();
  }

  ByteSource& pipe() { return pipe_; }
  // After the pipe was read to its end.
  oci::Digest finish() {
    thread_.join();
    return oci::Digest::from_hex(hash_.hex());
  }
  std::uint64_t size() const { return size_; }
  std::uint64_t compressed_size() const { return counted_.size(); }
  archive::Compression compression() const { return plain_.compression(); }

 private:
  void run() {
    std::optional<trace::Scope> scope;
    if (recorder_) scope.emplace(*recorder_, parent_);
    trace::Span span("layer.inflate");
    std::int64_t start = monotonic_now();
    try {
      while (inflate_chunk()) {
      }
      pipe_.close();
    } catch (...) {
      pipe_.close(std::current_exception());
    }
    span.set("compression", std::string(archive::to_string(plain_.compression())));
    span.set("in", static_cast<std::int64_t>(counted_.size()));
    span.set("out", static_cast<std::int64_t>(size_));
    span.set("MB/s", megabytes_per_second(size_, monotonic_now() - start));
  }

  bool inflate_chunk() {
    auto room = pipe_.prepare();
    if (room.empty()) return false;
    std::size_t size = 0;
    while (size < room.size()) {
      if (stop_.stop_requested()) throw Error(ErrorKind::Cancelled, "unpacking was cancelled");
      std::size_t got = plain_.read(room.subspan(size));
      if (got == 0) break;
      size += got;
    }
    if (size == 0) return false;
    hash_.update(room.first(size));
    size_ += size;
    pipe_.commit(size);
    return true;
  }

  CountingSource counted_;
  archive::Decompressor plain_;
  archive::ChunkPipe pipe_;
  std::stop_token stop_;
  archive::Sha256 hash_;
  std::uint64_t size_ = 0;
  trace::Recorder* recorder_;
  int parent_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace

struct Layers::State {
  std::string root, layers, trash;
  mutable std::mutex mutex;
  std::condition_variable_any changed;
  std::map<oci::Digest, LayerInfo> known;
  std::set<oci::Digest> in_work;

  std::string dir(const oci::Digest& diff_id) const { return cat(layers, "/", diff_id.hex()); }
  void discard(const std::string& path) const {
    os::make_dir(trash, 0700);
    os::rename_path(path, cat(trash, "/layer-", random_u64()));
  }
  void load();
  LayerInfo build(ByteSource& compressed, const oci::Digest& expected,
                  const std::function<void(std::uint64_t)>& progress, std::stop_token stop);
  void publish(const std::string& staging, const LayerInfo& info);
};

void Layers::State::load() {
  os::make_dirs(layers, 0710);
  for (const auto& name : os::list_dir(layers)) {
    std::string path = cat(layers, "/", name);
    try {
      if (!is_hex_id(name)) {
        if (name.starts_with(kStaging)) discard(path);
        continue;
      }
      LayerInfo info = info_from_json(json::parse(os::read_file(cat(path, "/info.json"), 1 << 16)));
      if (info.diff_id.hex() != name) throw Error(ErrorKind::DataLoss, "its record is another layer's");
      known.emplace(info.diff_id, info);
    } catch (const Error& error) {
      log::warn("dropping a damaged layer", {{"layer", name}, {"error", error.message()}});
      discard(path);
    }
  }
}

Layers::Layers(std::string data_root) : state_(std::make_shared<State>()) {
  state_->root = std::move(data_root);
  state_->layers = cat(state_->root, "/layers");
  state_->trash = cat(state_->root, "/trash");
  state_->load();
}
Layers::~Layers() = default;

std::optional<LayerInfo> Layers::find(const oci::Digest& diff_id) const {
  std::lock_guard lock(state_->mutex);
  auto found = state_->known.find(diff_id);
  return found == state_->known.end() ? std::nullopt : std::optional(found->second);
}

bool Layers::has(const oci::Digest& diff_id) const { return find(diff_id).has_value(); }

LayerInfo Layers::get(const oci::Digest& diff_id) const {
  if (auto info = find(diff_id)) return *info;
  throw Error(ErrorKind::NotFound, cat("layer ", diff_id.text(), " does not exist"));
}

std::vector<LayerInfo> Layers::list() const {
  std::lock_guard lock(state_->mutex);
  std::vector<LayerInfo> all;
  for (const auto& [id, info] : state_->known) all.push_back(info);
  return all;
}

std::string Layers::lower_dir(const oci::Digest& diff_id) const { return cat(state_->dir(diff_id), "/fs"); }

LayerInfo Layers::apply(ByteSource& compressed, const oci::Digest& diff_id,
                        const std::function<void(std::uint64_t)>& progress, std::stop_token stop) {
  State& s = *state_;
  trace::Span span("layer.apply");
  span.set("diff_id", diff_id.text());
  {
    std::unique_lock lock(s.mutex);
    while (!s.known.contains(diff_id) && s.in_work.contains(diff_id)) {
      if (!s.changed.wait(lock, stop, [&] { return !s.in_work.contains(diff_id); })) {
        throw Error(ErrorKind::Cancelled, "unpacking was cancelled");
      }
    }
    if (auto found = s.known.find(diff_id); found != s.known.end()) {
      span.set("result", "present");
      return found->second;
    }
    s.in_work.insert(diff_id);
  }
  struct Done {
    State& s;
    const oci::Digest& id;
    ~Done() {
      std::lock_guard lock(s.mutex);
      s.in_work.erase(id);
      s.changed.notify_all();
    }
  } done{s, diff_id};
  LayerInfo info = s.build(compressed, diff_id, progress, stop);
  span.set("size", static_cast<std::int64_t>(info.size));
  return info;
}

LayerInfo Layers::add(ByteSource& compressed, std::stop_token stop) {
  trace::Span span("layer.apply");
  LayerInfo info = state_->build(compressed, {}, {}, stop);
  span.set("diff_id", info.diff_id.text());
  span.set("size", static_cast<std::int64_t>(info.size));
  return info;
}

LayerInfo Layers::State::build(ByteSource& compressed, const oci::Digest& expected,
                               const std::function<void(std::uint64_t)>& progress, std::stop_token stop) {
  std::string staging = cat(layers, "/", kStaging, random_u64());
  os::make_dir(staging, 0700);
  Rollback rollback;
  rollback.add([&] { os::remove_tree(staging); });
  os::make_dir(cat(staging, "/fs"), 0755);
  LayerInfo info;
  try {
    Inflater inflater(compressed, progress, stop);
    {
      trace::Span span("layer.extract");
      std::int64_t start = monotonic_now();
      archive::TarReader tar(inflater.pipe());
      auto unpacked = archive::extract(tar, os::RootedDir::open(cat(staging, "/fs")), {}, stop);
      tar.drain();
      info.disk = unpacked.disk;
      span.set("entries", static_cast<std::int64_t>(unpacked.entries));
      span.set("bytes", static_cast<std::int64_t>(unpacked.bytes));
      span.set("MB/s", megabytes_per_second(unpacked.bytes, monotonic_now() - start));
    }
    info.diff_id = inflater.finish();
    info.size = inflater.size();
    if (!expected.empty() && info.diff_id != expected) {
      throw Error(ErrorKind::DataLoss, cat("wrong diff id calculated on extraction ", quoted(info.diff_id.text())));
    }
    FAILPOINT("layer.apply.extracted");
    publish(staging, info);
  } catch (const Error& error) {
    std::string name = expected.empty() ? "layer" : cat("layer ", expected.text());
    throw rollback.failure(
        Error(error.kind(), cat("failed to unpack ", name, ": ", error.message()), error.errno_code()));
  }
  rollback.commit();
  return info;
}

// Its content and record are on the disk before its name is.
void Layers::State::publish(const std::string& staging, const LayerInfo& info) {
  os::replace_file(cat(staging, "/info.json"), json::text(to_json(info)), 0600);
  {
    trace::Span span("layer.sync");
    os::Fd directory = os::open_file(staging, O_RDONLY | O_DIRECTORY);
    os::check(::syncfs(directory.get()), "syncfs");
  }
  FAILPOINT("layer.commit.before_rename");
  std::lock_guard lock(mutex);
  if (known.contains(info.diff_id)) {  // add() of what came meanwhile
    os::remove_tree(staging);
    return;
  }
  os::rename_path(staging, dir(info.diff_id));
  FAILPOINT("layer.commit.after_rename");
  os::fsync_dir(layers);
  known.emplace(info.diff_id, info);
}

void Layers::remove(const oci::Digest& diff_id) {
  std::lock_guard lock(state_->mutex);
  auto dir = state_->dir(diff_id);
  if (state_->known.erase(diff_id) > 0 && os::exists(dir)) state_->discard(dir);
}

}  // namespace proa::image
