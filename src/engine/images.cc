#include "engine/images.h"

#include <algorithm>
#include <set>

#include "base/rollback.h"
#include "base/text.h"
#include "base/trace.h"
#include "engine/events.h"
#include "engine/explain.h"
#include "engine/housekeeping.h"
#include "engine/image_progress.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "image/contents.h"
#include "image/images.h"
#include "image/pull.h"

namespace proa::engine {
namespace {

image::ImageUses uses_of(const Rooms& rooms) {
  return [&rooms](const oci::Digest& id) {
    std::vector<image::ImageUse> out;
    for (const auto& container : rooms.roster->all()) {
      auto snapshot = container->snapshot();
      if (snapshot->definition->image_id == id.text()) out.push_back({container->id(), snapshot->state.active()});
    }
    return out;
  };
}

std::vector<api::ImageDeleteItem> items_view(const Rooms& rooms, const std::vector<image::RemovedItem>& items) {
  std::vector<api::ImageDeleteItem> out;
  for (const auto& item : items) {
    bool untagged = item.kind == image::RemovedItem::Kind::Untagged;
    api::ImageDeleteItem view;
    (untagged ? view.untagged : view.deleted) = item.name;
    out.push_back(std::move(view));
    if (!item.image_id.empty())
      rooms.events->emit("image", untagged ? "untag" : "delete", item.image_id, {{"name", item.image_id}});
  }
  return out;
}

api::ImageSummary summary(const image::ImageRecord& record) {
  api::ImageSummary out;
  out.id = record.id.text();
  out.repo_tags = record.references;
  out.repo_digests = record.repo_digests;
  out.created = record.created == kZeroTime ? 0 : record.created / kSecond;
  out.size = static_cast<std::int64_t>(record.size);
  out.labels = record.config.config.labels;
  return out;
}

// Go's path.Match without character classes: '*' stops at a slash.
bool glob(std::string_view text, std::string_view pattern) {
  std::size_t t = 0, i = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (i < pattern.size() && pattern[i] == '*') {
      star = i++;
      mark = t;
    } else if (i < pattern.size() && (pattern[i] == text[t] || (pattern[i] == '?' && text[t] != '/'))) {
      ++t, ++i;
    } else if (star != std::string_view::npos && text[mark] != '/') {
      i = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (i < pattern.size() && pattern[i] == '*') ++i;
  return i == pattern.size();
}

// "busybox", "busybox:1.*", "*:latest": matched against the name alone, too.
bool name_matches(const std::string& name, const std::string& pattern) {
  std::string_view repository = name;
  if (auto at = name.find('@'); at != name.npos) {
    repository = repository.substr(0, at);
  } else {
    repository = repository.substr(0, name.rfind(':'));
  }
  return glob(name, pattern) || glob(repository, pattern);
}

// Leaves the names that match; false where none does.
bool keep_matching(api::ImageSummary& row, const api::Filters& filters) {
  if (!filters.has("reference")) return true;
  auto other = [&](const std::string& name) {
    return !filters.any("reference", [&](const std::string& pattern) { return name_matches(name, pattern); });
  };
  std::erase_if(row.repo_tags, other);
  std::erase_if(row.repo_digests, other);
  return !row.repo_tags.empty() || !row.repo_digests.empty();
}

// Of the layers that other images have, too.
std::int64_t shared_size(const image::ImageRecord& record, const std::map<oci::Digest, int>& owners) {
  std::uint64_t size = 0;
  for (const auto& layer : record.layers)
    if (owners.at(layer.diff_id) > 1) size += layer.size;
  return static_cast<std::int64_t>(size);
}

}  // namespace

std::vector<api::ImageSummary> Images::list(const ListOptions& options, const api::Filters& filters) const {
  filters.check({"dangling", "label", "label!", "before", "since", "reference", "until"});
  std::optional<UnixNanos> before, since;
  for (const auto& name : filters.get("before")) before = rooms_.images->get(name).created;
  for (const auto& name : filters.get("since")) since = rooms_.images->get(name).created;
  for (const auto& text : filters.get("until")) before = parse_timestamp(text, now());
  std::map<std::string, std::int64_t> containers;
  for (const auto& container : rooms_.roster->all()) ++containers[container->definition()->image_id];
  std::vector<api::ImageSummary> out;
  auto records = rooms_.images->list();
  std::map<oci::Digest, int> owners;
  for (const auto& record : records)
    for (const auto& diff_id : std::set(record.diff_ids.begin(), record.diff_ids.end())) ++owners[diff_id];
  for (const auto& record : records) {
    if (before && record.created >= *before) continue;
    if (since && record.created <= *since) continue;
    if (filters.has("dangling") && filters.boolean("dangling", false) != record.references.empty()) continue;
    if (!filters.matches_labels(record.config.config.labels)) continue;
    auto row = summary(record);
    if (!keep_matching(row, filters)) continue;
    row.containers = containers.contains(row.id) ? containers[row.id] : 0;
    if (options.shared_size) row.shared_size = shared_size(record, owners);
    out.push_back(std::move(row));
  }
  return out;
}

namespace {

image::ImageRecord get_for(const Rooms& rooms, std::string_view name, const std::string& platform) {
  auto record = rooms.images->get(name);
  if (platform.empty()) return record;
  return image::image_for(*rooms.blobs, *rooms.layers, record, oci::Platform::parse(platform));
}

}  // namespace

api::ImageInspect Images::inspect(std::string_view name, const std::string& platform) const {
  auto record = get_for(rooms_, name, platform);
  api::ImageInspect out;
  out.id = record.id.text();
  out.repo_tags = record.references;
  out.repo_digests = record.repo_digests;
  out.comment = record.config.comment;
  out.created = record.config.created.empty() ? "0001-01-01T00:00:00Z" : record.config.created;
  out.docker_version = record.config.docker_version;
  out.author = record.config.author;
  out.config = api::image_config_from_json(oci::to_json(record.config.config));
  out.architecture = record.config.platform.architecture;
  out.variant = record.config.platform.variant;
  out.os = record.config.platform.os;
  out.os_version = record.config.platform.os_version;
  out.size = static_cast<std::int64_t>(record.size);
  out.graph_driver.name = "overlay2";
  for (const auto& diff_id : record.diff_ids) out.root_fs.layers.push_back(diff_id.text());
  if (record.last_tagged != kZeroTime) out.metadata.last_tag_time = format_rfc3339(record.last_tagged);
  return out;
}

std::vector<api::ImageHistoryItem> Images::history(std::string_view name, const std::string& platform) const {
  std::vector<api::ImageHistoryItem> out;
  for (const auto& item : image::history_of(get_for(rooms_, name, platform))) {
    api::ImageHistoryItem view;
    view.id = item.id;
    view.created = item.created == kZeroTime ? 0 : item.created / kSecond;
    view.created_by = item.created_by;
    if (!item.tags.empty()) view.tags = item.tags;
    view.size = static_cast<std::int64_t>(item.size);
    view.comment = item.comment;
    out.push_back(std::move(view));
  }
  return out;
}

void Images::pull(const PullRequest& request, const ProgressSink& progress, std::stop_token stop) {
  trace::Span span("engine.pull");
  auto reference = oci::Reference::parse(request.from_image, request.tag);
  span.set("reference", reference.familiar());
  image::PullOptions options;
  if (!request.platform.empty()) options.platform = oci::Platform::parse(request.platform);
  options.credentials = credentials_of(request.auth);
  auto forward = forward_to(progress);
  Rollback rollback;
  rollback.add([this] { empty_trash_soon(rooms_); });  // a layer that was not what it should be went there
  if (request.all_tags) {
    rooms_.puller->pull_all(reference, options, forward, stop);
  } else {
    auto result = rooms_.puller->pull(reference, options, forward, stop);
    span.set("id", result.id.text());
    span.set("digest", result.digest.text());
  }
  rollback.commit();
  rooms_.events->emit("image", "pull", reference.familiar(), {{"name", reference.familiar_name()}});
}

void Images::tag(std::string_view source, std::string_view repository, std::string_view tag) {
  auto record = rooms_.images->get(source);
  auto target = oci::Reference::parse(repository, tag).with_default_tag();
  rooms_.images->tag(source, target);
  rooms_.events->emit("image", "tag", record.id.text(), {{"name", target.familiar()}});
}

std::vector<api::ImageDeleteItem> Images::remove(std::string_view name, const RemoveOptions& options,
                                                 std::stop_token stop) {
  std::vector<image::RemovedItem> items;
  if (options.platforms.empty()) {
    items =
        rooms_.images->remove(name, options.force ? image::Removal::Forced : image::Removal::Normal, uses_of(rooms_));
  } else if (!options.force) {
    // The dashes are docker's.
    throw Error(ErrorKind::InvalidArgument,
                "Content will be removed from all images referencing this variant. Use \u2014-force to force delete.");
  }
  auto record = options.platforms.empty() ? image::ImageRecord{} : rooms_.images->get(name);
  std::vector<oci::Platform> platforms;
  for (const std::string& text : options.platforms) platforms.push_back(oci::Platform::parse(text));
  // The unpacked one last: the image is called otherwise then.
  std::stable_partition(platforms.begin(), platforms.end(), [&](const oci::Platform& one) {
    return one.normalized().text() != record.config.platform.normalized().text();
  });
  for (const oci::Platform& platform : platforms) {
    auto removed = in_context(cat("failed to delete platform ", platform.text(), " for image ", record.id.text()),
                              [&] { return rooms_.images->remove_platform(name, platform, uses_of(rooms_), stop); });
    items.insert(items.end(), removed.begin(), removed.end());
  }
  empty_trash_soon(rooms_);
  return items_view(rooms_, items);
}

api::ImagesPruneReport Images::prune(const api::Filters& filters) {
  filters.check({"dangling", "until", "label", "label!"});
  std::optional<UnixNanos> until;
  for (const auto& text : filters.get("until")) {
    until = parse_timestamp(text, now());
    if (!until) throw Error(ErrorKind::InvalidArgument, cat("invalid filter 'until=[", text, "]'"));
  }
  bool all = filters.has("dangling") && !filters.boolean("dangling", true);
  auto pruned = rooms_.images->prune(
      all,
      [&](const image::ImageRecord& record) {
        if (until && record.created >= *until) return true;
        return !filters.matches_labels(record.config.config.labels);
      },
      uses_of(rooms_));
  empty_trash_soon(rooms_);
  api::ImagesPruneReport report;
  report.images_deleted = items_view(rooms_, pruned.items);
  report.space_reclaimed = pruned.reclaimed;
  rooms_.events->emit("image", "prune", "", {{"reclaimed", std::to_string(report.space_reclaimed)}});
  return report;
}

}  // namespace proa::engine
