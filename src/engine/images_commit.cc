// commit and import.
#include <algorithm>
#include <set>
#include <thread>

#include "base/rollback.h"
#include "base/text.h"
#include "base/trace.h"
#include "engine/containers.h"
#include "engine/event_attributes.h"
#include "engine/housekeeping.h"
#include "engine/images.h"
#include "engine/lifecycle.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "image/byte_pipe.h"
#include "image/commit.h"
#include "oci/config_changes.h"
#include "registry/search.h"

namespace proa::engine {

namespace {

std::optional<oci::Reference> name_of(std::string_view repository, std::string_view tag) {
  if (repository.empty()) return std::nullopt;
  oci::Reference name = oci::Reference::parse(repository, tag).with_default_tag();
  if (name.has_digest()) throw Error(ErrorKind::InvalidArgument, "cannot use a digest as the name of a new image");
  return name;
}

// What of a container's configuration belongs to an image.
oci::ImageDefaults defaults_of(const api::ContainerConfig& config) {
  return oci::image_defaults_from_json(api::to_json(config));
}

}  // namespace

std::string Images::commit(const CommitRequest& request, std::stop_token stop) {
  trace::Span span("engine.commit");
  auto name = name_of(request.repository, request.tag);
  auto container = rooms_.roster->get(request.container);
  auto definition = container->definition();
  image::CommitRequest out;
  out.container_id = container->id();
  out.base = oci::Digest::parse(definition->image_id);
  if (!definition->image_manifest.empty()) out.manifest = oci::Digest::parse(definition->image_manifest);
  out.config = defaults_of(definition->config);
  oci::apply_changes(out.config, request.changes);
  out.author = request.author;
  out.comment = request.comment;
  out.created_by = definition->config.cmd ? join(*definition->config.cmd, " ") : "";
  out.name = name;
  Rollback resumed;
  if (request.pause && container->state().status == Status::Running) {
    rooms_.lifecycle->pause(container->id(), true);
    resumed.add([&] { rooms_.lifecycle->unpause(container->id()); });
  }
  std::set<std::string, std::less<>> changed;
  for (const auto& change : rooms_.containers->changes(container->id())) {
    for (std::string_view path = std::string_view(change.path).substr(1); !path.empty();) {
      changed.emplace(path);
      std::size_t slash = path.rfind('/');
      path = path.substr(0, slash == path.npos ? 0 : slash);
    }
  }
  out.wanted = [&](std::string_view path) { return changed.contains(path); };
  image::Committer committer(*rooms_.images, *rooms_.blobs, *rooms_.layers, *rooms_.snapshots);
  Rollback discarded;
  discarded.add([this] { empty_trash_soon(rooms_); });  // the layer of what failed went there
  std::string id = committer.commit(out, std::move(stop)).text();
  discarded.commit();
  emit_container(*rooms_.events, *definition, "commit",
                 {{"comment", request.comment}, {"imageID", id}, {"imageRef", name ? name->familiar() : ""}});
  if (name) rooms_.events->emit("image", "tag", id, {{"name", name->familiar()}});
  return id;  // the container runs on as `resumed` ends
}

std::string Images::import_from(const std::string& source, ImportRequest request, const ProgressSink& progress,
                                std::stop_token stop) {
  constexpr std::size_t kUnderWay = 1 << 20;
  std::string url = source.find("://") == source.npos ? cat("http://", source) : source;
  if (request.message.empty()) request.message = cat("Imported from ", url);
  api::ProgressMessage message;
  message.status = cat("Downloading from ", url);
  progress(message);
  image::BytePipe pipe(kUnderWay);
  std::stop_source ended;
  std::stop_callback forward(stop, [&] { ended.request_stop(); });
  std::thread downloader([&] {
    api::ProgressDetail detail;
    try {
      registry::download(
          *rooms_.registries, url, [&](std::int64_t size) { detail.total = std::max<std::int64_t>(size, 0); },
          [&](std::span<const std::byte> piece) {
            pipe.write(piece);
            detail.current += static_cast<std::int64_t>(piece.size());
            api::ProgressMessage count;
            count.status = "Importing";
            count.progress_detail = detail;
            progress(count);
          },
          ended.get_token());
      pipe.finish();
    } catch (...) {
      pipe.fail(std::current_exception());
    }
  });
  Rollback joined;
  joined.add([&] {
    ended.request_stop();
    pipe.close_reader();
    downloader.join();
  });
  return import(pipe, request, std::move(stop));
}

std::string Images::import(ByteSource& tar, const ImportRequest& request, std::stop_token stop) {
  trace::Span span("engine.import");
  image::ImportRequest out;
  out.name = name_of(request.repository, request.tag);
  out.tar = &tar;
  oci::apply_changes(out.config, request.changes);
  out.platform = request.platform.empty() ? oci::Platform::host() : oci::Platform::parse(request.platform);
  out.comment = request.message.empty() ? "Imported from -" : request.message;
  image::Committer committer(*rooms_.images, *rooms_.blobs, *rooms_.layers, *rooms_.snapshots);
  Rollback discarded;
  discarded.add([this] { empty_trash_soon(rooms_); });  // the layer of what failed went there
  std::string id = committer.import(out, std::move(stop)).text();
  discarded.commit();
  rooms_.events->emit("image", "import", id, {{"name", out.name ? out.name->familiar() : id}});
  return id;
}

}  // namespace proa::engine
