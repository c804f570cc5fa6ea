#include "engine/archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/compress.h"
#include "archive/layer_entries.h"
#include "archive/tar_reader.h"
#include "archive/tar_writer.h"
#include "base/text.h"
#include "base/trace.h"
#include "engine/event_attributes.h"
#include "engine/live_root.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "image/snapshots.h"
#include "os/file.h"
#include "os/rooted_dir.h"
#include "volume/volumes.h"

namespace proa::engine {
namespace {

// A root and a path in it. Every path is resolved inside its root by the kernel (security.md row 31).
struct Place {
  os::RootedDir root;
  std::string path;
};

// The root as the container's processes see it, mounts included. Where nothing runs: the volume or bind that holds the
// path, or else the snapshot.
Place place_of(const Rooms& rooms, const Container& container, const std::string& path) {
  auto state = container.state();
  if (state.running()) return {live_root(container, state), path};
  auto definition = container.definition();
  const volume::MountPoint* holder = nullptr;
  for (const auto& point : definition->mounts) {
    bool inside = path == point.destination || path.starts_with(point.destination + "/");
    if (inside && point.type != volume::Type::Tmpfs &&
        (!holder || point.destination.size() > holder->destination.size())) {
      holder = &point;
    }
  }
  if (!holder) return {rooms.snapshots->view(container.id()), path};
  auto source = holder->type == volume::Type::Volume ? rooms.volumes->mountpoint(holder->name) : holder->source;
  auto rest = path.substr(holder->destination.size());
  struct stat info {};
  if (::stat(source.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) {  // a bind of one file
    rest = cat("/", os::base_name(source));
    source = os::dir_name(source);
  }
  return {os::RootedDir::open(source), rest.empty() ? "/" : rest};
}

[[noreturn]] void not_found(std::string_view container, std::string_view path) {
  throw Error(ErrorKind::NotFound, cat("Could not find the file ", path, " in container ", container));
}

std::string absolute(std::string_view path) {
  if (path.empty()) throw Error(ErrorKind::InvalidArgument, "missing parameter in request: path");
  return path.starts_with('/') ? std::string(path) : cat("/", path);
}

// nullopt: there is no such file.
std::optional<api::PathStat> stat_in(const os::RootedDir& root, const std::string& path) {
  auto clean = os::clean_path(path);
  bool into = path.size() > 1 && (path.ends_with('/') || path.ends_with("/."));
  auto info = clean == "/" || into ? root.try_stat_followed(clean) : root.try_stat(clean);
  if (!info) return std::nullopt;
  if (into && !S_ISDIR(info->st_mode)) {
    throw Error(ErrorKind::InvalidArgument, cat("lstat ", path, ": not a directory"));
  }
  api::PathStat out;
  out.name = clean == "/" ? "/" : std::string(os::base_name(clean));
  out.size = info->st_size;
  out.mode = api::go_file_mode(info->st_mode);
  out.mtime = info->st_mtim.tv_sec * kSecond + info->st_mtim.tv_nsec;
  if (S_ISLNK(info->st_mode)) {
    auto place = root.place(clean);
    std::string link(4096, '\0');
    auto length = os::check(::readlinkat(place.parent.get(), place.name.c_str(), link.data(), link.size()), path);
    link.resize(static_cast<std::size_t>(length));
    // docker resolves it in the container's scope, for the client to ask again
    out.link_target =
        link.starts_with('/') ? os::clean_path(link) : os::clean_path(cat(os::dir_name(clean), "/", link));
  }
  return out;
}

api::PathStat stat_of(const Rooms& rooms, const Container& container, std::string_view reference,
                      const std::string& path) {
  auto clean = os::clean_path(path);
  auto [root, inner] = place_of(rooms, container, clean);
  // What asks for a directory goes on asking for one.
  auto out = stat_in(root, clean == path ? inner : cat(inner == "/" ? "" : inner, path.ends_with("/.") ? "/." : "/"));
  if (!out) not_found(reference, path);
  if (clean != "/") out->name = os::base_name(clean);
  return *out;
}

class SinkAdapter : public ByteSink {
 public:
  explicit SinkAdapter(Sink sink) : sink_(std::move(sink)) {}
  void write(std::span<const std::byte> bytes) override {
    buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (buffer_.size() >= (64 << 10)) flush();
  }
  void flush() {
    if (!buffer_.empty()) sink_(buffer_);
    buffer_.clear();
  }

 private:
  Sink sink_;
  std::string buffer_;
};

}  // namespace

api::PathStat Archive::stat(std::string_view reference, std::string_view path) const {
  auto container = rooms_.roster->get(reference);
  return stat_of(rooms_, *container, reference, absolute(path));
}

void Archive::get(std::string_view reference, std::string_view path,
                  const std::function<Sink(const api::PathStat&)>& begin) const {
  trace::Span span("engine.archive_get");
  auto container = rooms_.roster->get(reference);
  auto wanted = absolute(path);
  auto info = stat_of(rooms_, *container, reference, wanted);
  auto [root, inner] = place_of(rooms_, *container, os::clean_path(wanted));
  emit_container(*rooms_.events, *container->definition(), "archive-path");
  archive::PackOptions options;
  options.path = inner;
  options.name = info.name == "/" ? "" : info.name;
  if (wanted.ends_with("/.")) options.name = ".";
  SinkAdapter out(begin(info));
  archive::TarWriter tar(out);
  archive::pack(root, options, tar);
  tar.finish();
  out.flush();
}

void Archive::put(std::string_view reference, std::string_view path, const PutArchiveOptions& options,
                  ByteSource& tar) const {
  trace::Span span("engine.archive_put");
  auto container = rooms_.roster->get(reference);
  auto definition = container->definition();
  auto wanted = os::clean_path(absolute(path));
  auto [root, inner] = place_of(rooms_, *container, wanted);
  auto info = root.try_stat_followed(inner);
  if (!info) not_found(reference, path);
  if (!S_ISDIR(info->st_mode)) throw Error(ErrorKind::InvalidArgument, "extraction point is not a directory");
  bool on_root = true;
  for (const auto& point : definition->mounts) {
    if (wanted != point.destination && !wanted.starts_with(point.destination + "/")) continue;
    on_root = false;
    if (!point.read_write) throw Error(ErrorKind::Forbidden, "mounted volume is marked read-only");
  }
  if (on_root && definition->host_config.readonly_rootfs)
    throw Error(ErrorKind::Forbidden, "container rootfs is marked read-only");
  archive::Decompressor plain(tar);
  archive::TarReader reader(plain);
  archive::ExtractOptions extract;
  extract.whiteouts = archive::Whiteouts::Keep;
  extract.base = inner;
  extract.no_overwrite_dir_non_dir = options.no_overwrite_dir_non_dir;
  if (!options.copy_uid_gid) extract.owner = archive::Owner{0, 0};
  archive::extract(reader, root, extract);
  emit_container(*rooms_.events, *definition, "extract-to-dir");
}

void Archive::export_root(std::string_view reference, const Begin& begin) const {
  auto container = rooms_.roster->get(reference);
  // Without what is mounted in it: the snapshot, also of a running container.
  auto state = container->state();
  os::RootedDir root = state.running() && container->run.root ? os::RootedDir(container->run.root.duplicate())
                       : state.running()                      ? live_root(*container, state)
                                                              : rooms_.snapshots->view(container->id());
  SinkAdapter out(begin());
  archive::TarWriter tar(out);
  archive::PackOptions options;
  options.cross_devices = false;
  archive::pack(root, options, tar);
  tar.finish();
  out.flush();
  emit_container(*rooms_.events, *container->definition(), "export");
}

}  // namespace proa::engine
