#include "image/layers.h"

#include <fcntl.h>
#include <unistd.h>

#include "archive/layer_entries.h"
#include "base/failpoint.h"
#include "base/id.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/text.h"
#include "base/time.h"
#include "base/trace.h"
#include "image/inflater.h"
#include "image/layer_file.h"
#include "image/layers_state.h"
#include "image/same_tree.h"
#include "os/file.h"
#include "os/rooted_dir.h"

namespace proa::image {
namespace {

constexpr std::string_view kStaging = ".staging-";
constexpr std::uint64_t kAround = 3 * 4096;  // of a directory: its record and the two directories that hold its tree

}  // namespace

std::string Layers::State::path(const oci::Digest& diff_id, LayerForm of) const {
  return cat(layers, "/", diff_id.hex(), of == LayerForm::Erofs ? kLayerFile : "");
}
std::string Layers::State::new_staging() const { return cat(layers, "/", kStaging, random_u64()); }

void Layers::State::discard(const std::string& path) const {
  os::make_dir(trash, 0700);
  os::rename_path(path, cat(trash, "/discarded-", random_u64()));
}

void Layers::State::load() {
  os::make_dirs(layers, 0710);
  os::spread_subdirectories(layers);
  for (const auto& name : os::list_dir(layers)) {
    std::string path = cat(layers, "/", name);
    bool is_file = name.ends_with(kLayerFile);
    std::string hex = is_file ? name.substr(0, name.size() - kLayerFile.size()) : name;
    try {
      if (!is_hex_id(hex)) {
        if (name.starts_with(kStaging)) discard(path);
        continue;
      }
      LayerInfo info = is_file ? read_layer_file(path)
                               : layer_info_from_json(json::parse(os::read_file(cat(path, "/info.json"), 1 << 16)),
                                                      LayerForm::Directory);
      if (info.diff_id.hex() != hex) throw Error(ErrorKind::DataLoss, "its record is another layer's");
      if (!known.emplace(info.diff_id, info).second) discard(path);  // a layer file that was unpacked
    } catch (const Error& error) {
      log::warn("dropping a damaged layer", {{"layer", name}, {"error", error.message()}});
      discard(path);
    }
  }
}

Layers::Layers(std::string data_root, LayerForm form) : state_(std::make_shared<State>()) {
  state_->layers = cat(data_root, "/layers");
  state_->trash = cat(data_root, "/trash");
  state_->form = form;
  state_->load();
}
Layers::~Layers() = default;

LayerForm Layers::form() const { return state_->form; }

std::optional<LayerInfo> Layers::State::find(const oci::Digest& diff_id) const {
  std::lock_guard lock(mutex);
  auto found = known.find(diff_id);
  return found == known.end() ? std::nullopt : std::optional(found->second);
}

std::optional<LayerInfo> Layers::find(const oci::Digest& diff_id) const { return state_->find(diff_id); }

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
  std::string staging = new_staging(), file = cat(staging, kLayerFile);
  Rollback rollback;
  rollback.add([&] { os::remove_tree(staging); });
  LayerInfo info;
  auto verify = [&](const oci::Digest& actual) {
    if (!expected.empty() && actual != expected)
      throw Error(ErrorKind::DataLoss, cat("wrong diff id calculated on extraction ", quoted(actual.text())));
  };
  try {
    if (form == LayerForm::Directory) {
      Inflater inflater(compressed, progress, Hashing::WhileInflating, stop);
      os::make_dir(staging, 0700);
      unpack(inflater.pipe(), staging, info, stop);
      info.diff_id = inflater.finish();
      info.size = inflater.size();
      verify(info.diff_id);
      FAILPOINT("layer.apply.extracted");
      publish(staging, info);
    } else {
      rollback.add([&] { os::remove_file(file); });
      Inflater inflater(compressed, progress, Hashing::ByReader, stop);
      LayerFileWriter writer(file);
      writer.take(inflater.pipe(), stop);
      verify(writer.diff_id());
      FAILPOINT("layer.apply.extracted");
      info = publish_file(writer, file, staging, stop);
    }
  } catch (const Error& error) {
    std::string name = expected.empty() ? "layer" : cat("layer ", expected.text());
    throw rollback.failure(
        Error(error.kind(), cat("failed to unpack ", name, ": ", error.message()), error.errno_code()));
  }
  rollback.commit();
  return info;
}

// A tar that makes no layer file is unpacked from it.
LayerInfo Layers::State::publish_file(LayerFileWriter& writer, const std::string& file, const std::string& staging,
                                      const std::stop_token& stop) {
  if (writer.unfit().empty()) {
    LayerInfo info = writer.finish();
    writer.sync();
    publish(file, info);
    return info;
  }
  log::info("a layer is unpacked", {{"layer", writer.diff_id().text()}, {"reason", writer.unfit()}});
  LayerInfo info{writer.diff_id(), writer.size(), 0, LayerForm::Directory};
  FileSource tar = writer.tar();
  os::make_dir(staging, 0700);
  unpack(tar, staging, info, stop);
  os::remove_file(file);
  publish(staging, info);
  return info;
}

// Into a staging directory: info.disk is known then.
void Layers::State::unpack(ByteSource& from, const std::string& staging, LayerInfo& info, const std::stop_token& stop) {
  trace::Span span("layer.extract");
  std::int64_t start = monotonic_now();
  os::make_dir(cat(staging, "/fs"), 0755);
  archive::TarReader tar(from);
  auto unpacked = archive::extract(tar, os::RootedDir::open(cat(staging, "/fs")), {}, stop);
  tar.drain();
  info.disk = unpacked.disk + kAround;
  span.set("entries", static_cast<std::int64_t>(unpacked.entries));
  span.set("bytes", static_cast<std::int64_t>(unpacked.bytes));
  span.set("MB/s", megabytes_per_second(unpacked.bytes, monotonic_now() - start));
}

// Its content and record are on the disk before its name is.
void Layers::State::publish(const std::string& staging, const LayerInfo& info) {
  if (info.form == LayerForm::Directory) {
    os::replace_file(cat(staging, "/info.json"), json::text(to_json(info)), 0600);
    trace::Span span("layer.sync");
    os::Fd directory = os::open_file(staging, O_RDONLY | O_DIRECTORY);
    os::check(::syncfs(directory.get()), "syncfs");
  }
  FAILPOINT("layer.commit.before_rename");
  std::lock_guard lock(mutex);
  auto old = known.find(info.diff_id);
  bool gives_way = old != known.end() && old->second.form == LayerForm::Erofs && info.form == LayerForm::Directory;
  if (old != known.end() && !gives_way) {  // add() of what came meanwhile
    os::remove_tree(staging);
    return;
  }
  os::rename_path(staging, path(info));
  FAILPOINT("layer.commit.after_rename");
  os::fsync_dir(layers);
  if (gives_way) discard(path(old->second));
  known.insert_or_assign(info.diff_id, info);
}

// The tree beside what it is made of.
bool Layers::State::is_what_it_was(const LayerInfo& info, ByteSource& blob) {
  std::string staging = new_staging();
  Rollback rollback;  // whatever comes of it
  rollback.add([&] { os::remove_tree(staging); });
  os::make_dir(staging, 0700);
  Inflater inflater(blob, {}, Hashing::WhileInflating, {});
  LayerInfo again;
  unpack(inflater.pipe(), staging, again, {});
  inflater.finish();
  std::string difference;
  try {
    difference = first_difference(cat(path(info), "/fs"), cat(staging, "/fs"));
  } catch (const Error& error) {
    difference = error.message();
  }
  if (difference.empty()) return true;
  log::warn("an unpacked layer is not what it was", {{"layer", info.diff_id.text()}, {"difference", difference}});
  return false;
}

LayerState Layers::check(const oci::Digest& diff_id, ByteSource* blob) const {
  auto info = find(diff_id);
  if (!info || !os::exists(state_->path(*info))) return LayerState::Missing;
  auto verdict = [](bool whole) { return whole ? LayerState::Whole : LayerState::Damaged; };
  if (info->form == LayerForm::Directory) {
    if (!os::exists(cat(state_->path(*info), "/fs"))) return LayerState::Missing;
    return verdict(!blob || state_->is_what_it_was(*info, *blob));
  }
  try {
    return verdict(is_whole(state_->path(*info), *info));
  } catch (const Error& error) {
    log::warn("a layer cannot be read", {{"layer", diff_id.text()}, {"error", error.message()}});
    return LayerState::Damaged;
  }
}

std::vector<std::string> Layers::strays() const {
  std::lock_guard lock(state_->mutex);
  std::set<std::string> ours{std::string(kEmptyLayer)};
  for (const auto& [id, info] : state_->known) ours.emplace(os::base_name(state_->path(info)));
  std::vector<std::string> out;
  for (auto& name : os::list_dir(state_->layers)) {
    if (!ours.contains(name) && !name.starts_with(kStaging)) out.push_back(std::move(name));
  }
  return out;
}

void Layers::remove_stray(const std::string& name) { state_->discard(cat(state_->layers, "/", name)); }

void Layers::remove(const oci::Digest& diff_id) {
  State::Mounted unmounted;  // once nothing is locked: it may take its time
  std::lock_guard guard(state_->mounting);
  if (auto known = state_->mounts.find(diff_id); known != state_->mounts.end()) {
    unmounted = std::move(known->second);
    state_->mounts.erase(known);
  }
  std::lock_guard lock(state_->mutex);
  auto known = state_->known.find(diff_id);
  if (known == state_->known.end()) return;
  std::string path = state_->path(known->second);
  state_->known.erase(known);
  if (os::exists(path)) state_->discard(path);
}

void Layers::discard(const std::string& path) const { state_->discard(path); }

}  // namespace proa::image
