#include "image/snapshots.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>

#include "archive/layer_entries.h"
#include "base/id.h"
#include "base/log.h"
#include "base/text.h"
#include "base/trace.h"
#include "image/changes.h"
#include "os/file.h"
#include "os/file_walk.h"
#include "os/overlay.h"

namespace proa::image {
namespace {

bool is_opaque(const std::string& path) {
  char value[2];
  return ::lgetxattr(path.c_str(), std::string(archive::kOpaqueXattr).c_str(), value, sizeof value) == 1 &&
         value[0] == 'y';
}

std::vector<std::string> paths_of(const std::vector<Lower>& layers) {
  std::vector<std::string> paths;
  for (const auto& layer : layers) paths.push_back(layer.path);
  return paths;
}

std::string names_for_people(const std::vector<Lower>& layers) {
  std::vector<std::string> names;
  for (const auto& layer : layers) names.push_back(layer.file.empty() ? layer.path : layer.file);
  return join(names, ":");
}

void check_id(std::string_view id) {
  if (id.empty() || id.starts_with('.') || id.find('/') != id.npos) {
    throw Error(ErrorKind::InvalidArgument, cat("invalid container ID ", quoted(id)));
  }
}

void write_lowers(const std::string& home, std::span<const oci::Digest> diff_ids) {
  JsonArray list;
  for (const auto& id : diff_ids) list.push_back(Json(id.text()));
  os::write_file(cat(home, "/lowers.json"), json::text(list), 0600);
}

}  // namespace

Snapshots::Snapshots(std::string data_root, Layers& layers) : data_root_(std::move(data_root)), layers_(layers) {
  os::make_dirs(cat(data_root_, "/containers"), 0710);
  os::make_dir(cat(data_root_, "/trash"), 0700);
  os::make_dirs(cat(data_root_, "/layers/", kEmptyLayer, "/fs"), 0755);  // what an image from scratch stands on
}

std::string Snapshots::dir(std::string_view container_id) const {
  check_id(container_id);
  return cat(data_root_, "/containers/", container_id);
}

void Snapshots::prepare(std::string_view container_id, std::span<const oci::Digest> diff_ids) {
  trace::Span span("snapshot.prepare");
  for (const auto& id : diff_ids) layers_.get(id);
  std::string home = dir(container_id), upper = cat(home, "/upper");
  os::make_dir(home, 0710);
  os::make_dir(cat(home, "/work"), 0700);
  os::make_dir(upper, 0755);
  // The merged root has the upper's attributes: those of the image.
  struct stat top {};
  Lower lower = diff_ids.empty() ? empty_layer() : layers_.lower(diff_ids.back());
  os::check(::stat(lower.path.c_str(), &top), cat("stat ", lower.path));
  os::check(::chown(upper.c_str(), top.st_uid, top.st_gid), cat("chown ", upper));
  os::check(::chmod(upper.c_str(), top.st_mode & 07777), cat("chmod ", upper));
  std::string mark = cat(upper, "/", kEngineMark);
  if (!os::exists(mark)) os::write_file(mark, "", 0755);
  write_lowers(home, diff_ids);
  span.set("upper", upper);
  span.set("layers", static_cast<std::int64_t>(diff_ids.size()));
}

bool Snapshots::is_whole(std::string_view container_id) const {
  std::string home = dir(container_id);
  if (!os::exists(cat(home, "/upper")) || !os::exists(cat(home, "/work"))) return false;
  try {
    lowers(container_id);
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool Snapshots::restore(std::string_view container_id, std::span<const oci::Digest> diff_ids) {
  if (is_whole(container_id)) return false;
  std::string home = dir(container_id);
  if (os::exists(cat(home, "/upper")) && os::exists(cat(home, "/work"))) {
    write_lowers(home, diff_ids);
  } else {
    prepare(container_id, diff_ids);
  }
  return true;
}

std::vector<oci::Digest> Snapshots::lowers(std::string_view container_id) const {
  auto text = os::try_read_file(cat(dir(container_id), "/lowers.json"), 1 << 20);
  if (!text) throw Error(ErrorKind::NotFound, cat("container ", container_id, " has no root file system"));
  std::vector<oci::Digest> found;
  Json list = json::parse(*text);
  if (!list.is_array()) throw Error(ErrorKind::DataLoss, cat("container ", container_id, ": lowers.json is damaged"));
  for (const Json& id : list.get_array()) {
    if (id.is_string()) found.push_back(oci::Digest::parse(std::string_view(id.get_string())));
  }
  return found;
}

Lower Snapshots::empty_layer() const { return {cat(data_root_, "/layers/", kEmptyLayer, "/fs")}; }

std::vector<Lower> Snapshots::lower_layers(std::string_view container_id) const {
  std::vector<Lower> layers;
  auto ids = lowers(container_id);
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
    layers.push_back(layers_.lower(*id));
    // The kernel takes no notice of an opaque root: what lies below it is left out here.
    if (is_opaque(layers.back().path)) break;
  }
  if (layers.empty()) layers.push_back(empty_layer());
  return layers;
}

os::Fd Snapshots::mount(std::string_view container_id, Volatile durability) const {
  trace::Span span("snapshot.mount");
  std::string home = dir(container_id);
  auto layers = lower_layers(container_id);  // mounted for as long as this takes
  os::Overlay overlay{
      .lowers = paths_of(layers),
      .upper = cat(home, "/upper"),
      .work = cat(home, "/work"),
      .is_volatile = durability == Volatile::Yes,
      .several_file_systems = std::any_of(layers.begin(), layers.end(), [](auto& l) { return !!l.mount; })};
  // A volatile mount that was cut by a crash leaves this mark, and the kernel then refuses (overlayfs.rst, "Volatile
  // mount").
  std::string mark = cat(overlay.work, "/work/incompat");
  if (os::exists(mark)) os::remove_tree(mark);
  span.set("lowerdir", names_for_people(layers));
  span.set("upperdir", overlay.upper);
  span.set("workdir", overlay.work);
  span.set("options", cat("index=off,redirect_dir=off,metacopy=off", overlay.is_volatile ? ",volatile" : "",
                          overlay.several_file_systems ? ",xino=on" : ""));
  return os::mount_overlay(overlay);
}

os::RootedDir Snapshots::view(std::string_view container_id) const {
  os::Fd mounted = mount(container_id, Volatile::No);
  return os::RootedDir(os::open_at(mounted.get(), ".", O_PATH | O_DIRECTORY));
}

std::vector<Change> Snapshots::changes(std::string_view container_id) const {
  auto layers = lower_layers(container_id);
  auto found = find_changes(cat(dir(container_id), "/upper"), paths_of(layers));
  std::erase_if(found, [](const Change& change) {
    return change.kind != Change::Kind::Deleted && change.path == cat("/", kEngineMark);
  });
  return found;
}

void Snapshots::pack_changes(std::string_view container_id, const std::function<bool(std::string_view)>& wanted,
                             archive::TarWriter& to, std::stop_token stop) const {
  archive::PackOptions options;
  options.skip = [&](std::string_view relative) { return !wanted(relative); };
  options.cross_devices = false;
  options.overlay_marks = true;
  archive::pack(os::RootedDir::open(cat(dir(container_id), "/upper")), options, to, std::move(stop));
}

std::uint64_t Snapshots::size(std::string_view container_id) const {
  return os::disk_usage(cat(dir(container_id), "/upper"));
}

void Snapshots::empty_trash() {
  std::string trash = cat(data_root_, "/trash");
  for (const auto& name : os::list_dir(trash)) {
    try {
      os::remove_tree(cat(trash, "/", name));
    } catch (const Error& error) {
      log::warn("cannot delete from the trash", {{"name", name}, {"error", error.message()}});
    }
  }
}

}  // namespace proa::image
