// Taking names and images away, by docker's rules, and collecting what nothing holds any more.
#include <algorithm>
#include <exception>
#include <set>

#include "base/failpoint.h"
#include "base/id.h"
#include "base/log.h"
#include "base/text.h"
#include "base/trace.h"
#include "image/contents.h"
#include "image/file_source.h"
#include "image/images.h"
#include "image/images_state.h"

namespace proa::image {

namespace {

using Items = std::vector<RemovedItem>;

std::vector<std::string> names_of(const ImageRecord& record) {
  std::vector<std::string> names = record.references;
  names.insert(names.end(), record.repo_digests.begin(), record.repo_digests.end());
  return names;
}

// At most one tag, and everything in one repository.
bool has_single_reference(const ImageRecord& record) {
  if (record.references.size() + record.repo_digests.size() <= 1) return true;
  if (record.references.size() > 1) return false;
  std::set<std::string_view> repositories;
  for (const std::string& name : record.references) repositories.insert(repository_of(name));
  for (const std::string& name : record.repo_digests) repositories.insert(repository_of(name));
  return repositories.size() == 1;
}

std::string short_id_of(const oci::Digest& id) { return std::string(id.short_hex()); }

void untag(ImageRecord& record, const std::string& name, Items& items) {
  if (!drop(record.references, name)) drop(record.repo_digests, name);
  items.push_back({RemovedItem::Kind::Untagged, name, record.id.text()});
}

struct Conflict {
  std::string message;
  bool used = false;  // by a container, not merely named
};

enum class Named { Matters, DoesNotMatter };

std::optional<Conflict> find_conflict(const ImageRecord& record, Removal how, Named named,
                                      const std::vector<ImageUse>& uses) {
  auto text = [&](std::string_view hardness, std::string_view why) {
    return cat("conflict: unable to delete ", short_id_of(record.id), " (", hardness, ") - ", why);
  };
  for (const ImageUse& use : uses) {
    if (!use.running) continue;
    return Conflict{
        text("cannot be forced", cat("image is being used by running container ", short_id(use.container_id))), true};
  }
  if (how == Removal::Forced) return std::nullopt;
  if (named == Named::Matters && !names_of(record).empty()) {
    return Conflict{text("must be forced", "image is referenced in multiple repositories"), false};
  }
  if (!uses.empty()) {
    return Conflict{
        text("must be forced", cat("image is being used by stopped container ", short_id(uses[0].container_id))), true};
  }
  return std::nullopt;
}

// Chains that no other image has, topmost first, as docker lists them.
void list_chains(const ImageRecord& record, const std::vector<RecordPtr>& all, Items& items) {
  std::vector<oci::Digest> chain = record.diff_ids;
  for (; !chain.empty(); chain.pop_back()) {
    for (const RecordPtr& other : all) {
      if (other->id == record.id || other->diff_ids.size() < chain.size()) continue;
      if (std::equal(chain.begin(), chain.end(), other->diff_ids.begin())) return;
    }
    items.push_back({RemovedItem::Kind::Deleted, chain_id(chain).text(), ""});
  }
}

}  // namespace

std::vector<RemovedItem> Images::remove(std::string_view name, Removal how, const ImageUses& uses) {
  trace::Span span("image.remove");
  span.set("name", std::string(name));
  Items items;
  {
    std::lock_guard guard(state_->changing);
    auto record = std::make_shared<ImageRecord>(*state_->get(name));
    std::vector<ImageUse> users = uses ? uses(record->id) : std::vector<ImageUse>();
    bool by_name = !is_id_prefix(record->id, name);
    if (by_name) {
      if (how == Removal::Normal && !users.empty() && has_single_reference(*record)) {
        throw Error(ErrorKind::Conflict,
                    cat("conflict: unable to remove repository reference ", quoted(name), " (must force) - container ",
                        short_id(users[0].container_id), " is using its referenced image ", short_id_of(record->id)));
      }
      std::string removed = lookup_name(oci::Reference::parse(name));
      untag(*record, removed, items);
      // The last tag of a repository takes its digests along.
      auto in_repository = [&](const std::string& one) { return repository_of(one) == repository_of(removed); };
      if (!is_digest_name(removed) &&
          std::none_of(record->references.begin(), record->references.end(), in_repository)) {
        for (const std::string& digest : std::vector<std::string>(record->repo_digests)) {
          if (in_repository(digest)) untag(*record, digest, items);
        }
      }
      bool used = find_conflict(*record, how, Named::DoesNotMatter, users).has_value();
      if (!names_of(*record).empty() || used) {
        state_->commit({{record->id, record}}, "");
        return items;
      }
    } else {
      Named named = has_single_reference(*record) ? Named::DoesNotMatter : Named::Matters;
      if (auto conflict = find_conflict(*record, how, named, users))
        throw Error(ErrorKind::Conflict, conflict->message);
      for (const std::string& one : names_of(*record)) untag(*record, one, items);
    }
    items.push_back({RemovedItem::Kind::Deleted, record->id.text(), record->id.text()});
    list_chains(*record, state_->all(), items);
    state_->commit({{record->id, nullptr}}, "");
  }
  FAILPOINT("images.remove.before_collect");
  collect();
  return items;
}

namespace {

// One platform of an image goes.
struct PlatformRemoval {
  oci::Digest manifest;  // of what goes
  oci::Digest next;      // of what is unpacked in its place; empty: what is unpacked stays, or nothing else is here
  std::vector<oci::Digest> others;
};

PlatformRemoval plan_platform_removal(const store::Blobs& blobs, const ImageRecord& record, std::string_view name,
                                      const oci::Platform& platform) {
  PlatformRemoval out;
  // What another image has brought is that one's.
  std::set<oci::Digest> own(record.others.begin(), record.others.end());
  own.insert(record.manifest);
  for (const ManifestEntry& entry : manifests_of(blobs, record)) {
    const oci::Descriptor& one = entry.descriptor;
    if (!entry.available || !one.platform || !entry.attests.empty() || !own.contains(one.digest)) continue;
    if (one.platform->normalized().text() == platform.normalized().text()) {
      out.manifest = one.digest;
    } else if (out.next.empty() || *one.platform == oci::Platform::host()) {
      out.next = one.digest;
    }
  }
  if (out.manifest.empty()) {
    throw Error(ErrorKind::NotFound,
                cat("image with reference ", name, " was found but does not provide the specified platform (",
                    platform.text(), ")"));
  }
  auto left = belongings(blobs, record.index, {out.manifest});
  for (const oci::Digest& digest : std::set(left.begin(), left.end()))
    if (own.contains(digest)) out.others.push_back(digest);
  return out;
}

}  // namespace

std::vector<RemovedItem> Images::remove_platform(std::string_view name, const oci::Platform& platform,
                                                 const ImageUses& uses, std::stop_token stop) {
  trace::Span span("image.remove_platform");
  span.set("platform", platform.text());
  Items items;
  {
    Growing growing(*this);  // what is unpacked anew is nobody's until it is recorded
    RecordPtr seen = state_->get(name);
    PlatformRemoval plan = plan_platform_removal(state_->blobs, *seen, name, platform);
    auto changed = std::make_shared<ImageRecord>(*seen);
    if (plan.manifest == seen->manifest) {
      if (plan.next.empty()) return remove(seen->id.text(), Removal::Forced, uses);
      auto users = uses ? uses(seen->id) : std::vector<ImageUse>();
      if (auto conflict = find_conflict(*seen, Removal::Forced, Named::DoesNotMatter, users))
        throw Error(ErrorKind::Conflict, conflict->message);
      *changed = state_->unpack_manifest(*seen, plan.next, stop);
    }
    changed->others = plan.others;
    std::lock_guard guard(state_->changing);
    if (state_->find(name) != seen)
      throw Error(ErrorKind::Conflict, cat("image ", name, " was changed meanwhile: try again"));
    std::vector<State::Change> changes;
    if (changed->id != seen->id) {
      changes.push_back({seen->id, nullptr});
      if (auto known = state_->catalogue.by_id.find(changed->id); known != state_->catalogue.by_id.end())
        for (const std::string& one : names_of(*known->second))
          add_sorted(is_digest_name(one) ? changed->repo_digests : changed->references, one);
    }
    changes.push_back({changed->id, changed});
    state_->commit(changes, "");
    items.push_back({RemovedItem::Kind::Deleted, plan.manifest.text(), ""});
  }
  collect();
  return items;
}

Images::Pruned Images::prune(bool all, const std::function<bool(const ImageRecord&)>& keep, const ImageUses& uses) {
  Pruned out;
  std::uint64_t before = 0, after = 0;
  for (const LayerInfo& layer : state_->layers.list()) before += layer.disk;
  for (const RecordPtr& record : state_->all()) {
    bool dangling = record->references.empty();
    if ((!all && !dangling) || (keep && keep(*record)) || (uses && !uses(record->id).empty())) continue;
    std::vector<std::string> names = record->references;
    if (names.empty()) names = {record->id.text()};
    for (const std::string& name : names) {
      try {
        for (RemovedItem& item : remove(name, Removal::Normal, uses)) out.items.push_back(std::move(item));
      } catch (const Error& error) {
        // Someone else was quicker, or a container was made of it meanwhile: it is kept.
        if (error.kind() != ErrorKind::NotFound && error.kind() != ErrorKind::Conflict) throw;
      }
    }
  }
  for (const LayerInfo& layer : state_->layers.list()) after += layer.disk;
  out.reclaimed = before > after ? before - after : 0;
  return out;
}

void Images::hold(const std::string& lease, const std::vector<oci::Digest>& digests) {
  std::lock_guard guard(state_->collecting);
  state_->leases.hold(lease, digests);
}

Images::Hold::Hold(Images& images, const std::vector<oci::Digest>& digests) : images_(images) { add(digests); }

Images::Hold::~Hold() {
  std::lock_guard guard(images_.state_->collecting);
  images_.state_->being_read.erase(this);
}

void Images::Hold::add(const std::vector<oci::Digest>& digests) {
  std::lock_guard guard(images_.state_->collecting);
  images_.state_->being_read[this].insert(digests.begin(), digests.end());
}

Images::Growing::Growing(Images& images) : images_(images), exceptions_(std::uncaught_exceptions()) {
  std::lock_guard guard(images_.state_->collecting);
  ++images_.state_->growing;
}

void Images::Growing::clear_up() {
  std::lock_guard guard(images_.state_->collecting);
  images_.state_->collect_later = true;
}

Images::Growing::~Growing() {
  bool collect = false;
  {
    std::lock_guard guard(images_.state_->collecting);
    if (std::uncaught_exceptions() > exceptions_) images_.state_->collect_later = true;
    collect = --images_.state_->growing == 0 && images_.state_->collect_later;
  }
  try {
    if (collect) images_.collect();
  } catch (const std::exception& error) {
    log::warn("collecting failed; the next removal does it", {{"error", error.what()}});
  }
}

void Images::give_up(const std::string& lease) {
  {
    std::lock_guard guard(state_->collecting);
    state_->leases.release(lease);
  }
  collect();
}

void Images::set_layers_in_use(std::function<std::vector<oci::Digest>()> in_use) {
  std::lock_guard guard(state_->collecting);
  state_->in_use = std::move(in_use);
}

void Images::collect() {
  trace::Span span("image.collect");
  // A change ends leases and enters the index in two steps: what is between them is not seen from here.
  std::lock_guard no_change(state_->changing);
  std::lock_guard guard(state_->collecting);
  state_->collect_later = true;  // also where it fails: who grows next does it at the end
  if (state_->growing > 0) return;
  std::set<oci::Digest> held = state_->held();
  std::set<oci::Digest> kept = held;
  for (const RecordPtr& record : state_->all()) {
    kept.merge(blobs_of(*record));
    kept.insert(record->diff_ids.begin(), record->diff_ids.end());
  }
  if (state_->in_use) {
    for (const oci::Digest& diff_id : state_->in_use()) kept.insert(diff_id);
  }
  for (const LayerInfo& layer : state_->layers.list()) {
    if (!kept.contains(layer.diff_id)) state_->layers.remove(layer.diff_id);
  }
  FAILPOINT("images.collect.after_layers");
  for (const oci::Digest& digest : state_->blobs.list()) {
    if (!kept.contains(digest)) state_->layers.discard(state_->blobs.path(digest));
  }
  for (const oci::Digest& digest : state_->blobs.ingests()) {
    if (!held.contains(digest)) state_->blobs.drop_ingest(digest);
  }
  state_->collect_later = false;
}

}  // namespace proa::image
